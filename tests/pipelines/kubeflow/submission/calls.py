"""Calls of `submit` and `schedule` with a small compiled pipeline."""

import pathlib

import yaml
from click.testing import CliRunner

from pipelines.cli import main

EXECUTOR = {"container": {"image": "registry/tfmtl:1", "command": ["python"], "resources": {"cpuLimit": 2.0}}}
SPECIFICATION = {
    "pipelineInfo": {"name": "shop"},
    "schemaVersion": "2.1.0",
    "deploymentSpec": {"executors": {"Transform_executor": EXECUTOR, "Trainer_executor": EXECUTOR}},
    "components": {
        "Transform": {"executorLabel": "Transform_executor"},
        "Trainer": {"executorLabel": "Trainer_executor"},
    },
    "root": {
        "inputDefinitions": {
            "parameters": {
                "data": {"parameterType": "STRING", "defaultValue": "s3://bucket/log"},
                "date": {"parameterType": "STRING", "defaultValue": ""},
                "root": {"parameterType": "STRING", "defaultValue": "s3://bucket/root"},
                "rows": {"parameterType": "NUMBER_INTEGER", "isOptional": True},
                "exact": {"parameterType": "BOOLEAN", "isOptional": True},
                "rates": {"parameterType": "LIST", "isOptional": True},
            }
        },
        "dag": {
            "tasks": {
                "Transform": {"componentRef": {"name": "Transform"}, "taskInfo": {"name": "Transform"}},
                "Trainer": {
                    "componentRef": {"name": "Trainer"},
                    "taskInfo": {"name": "Trainer"},
                    "dependentTasks": ["Transform"],
                },
            }
        },
    },
    "defaultPipelineRoot": "s3://bucket/root",
}
PLATFORM = {
    "platforms": {
        "kubernetes": {
            "deploymentSpec": {
                "executors": {"Trainer_executor": {"pvcMount": [{"mountPath": "/data", "constant": "data"}]}}
            }
        }
    }
}


def write(*documents, name="pipeline.yaml"):
    pathlib.Path(name).write_text(yaml.safe_dump_all(documents, sort_keys=False))


def invoke(*words, code=0):
    """Runs a command, checks its exit code and that it is short, and returns what it prints."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    if code == 2:
        assert 1 <= len(done.output.strip().splitlines()) <= 3, done.output
    return done.output


def submit(server, *words, code=0):
    return invoke("submit", "pipeline.yaml", "--host", server.address, *words, code=code)


def schedule(server, *words, code=0):
    return invoke("schedule", "pipeline.yaml", "--host", server.address, "--cron", "0 0 4 * * *", *words, code=code)
