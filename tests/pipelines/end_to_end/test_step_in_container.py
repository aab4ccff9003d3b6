"""Runs a step of the compiled pipeline with the command that a container runs."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

from tests.pipelines.compiled import compile_demo

pytestmark = pytest.mark.slow
REPOSITORY = pathlib.Path(__file__).parents[3]


def test_transform_runs_from_its_compiled_command(end_to_end, tmp_path):
    """The invocation stands for `{{$}}`, which Kubeflow's launcher replaces."""
    spec = yaml.safe_load(compile_demo(tmp_path, **{"--data": str(end_to_end.data)}).read_text())
    task = next(task for name, task in spec["root"]["dag"]["tasks"].items() if name.lower() == "transform")
    component = spec["components"][task["componentRef"]["name"]]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    artifacts = {
        "examples": end_to_end.run.artifact("LogExampleGen", "examples"),
        "schema": end_to_end.run.artifact("SchemaGen", "schema"),
    }
    invocation = {
        "inputs": {
            "artifacts": {key: {"artifacts": [_runtime(key, a)]} for key, a in artifacts.items()},
            "parameterValues": {
                key: value["runtimeValue"]["constant"] for key, value in task["inputs"]["parameters"].items()
            },
        },
        "outputs": {
            "outputFile": str(tmp_path / "output_metadata.json"),
            "artifacts": {
                key: {
                    "artifacts": [
                        {"name": key, "uri": str(tmp_path / key), "type": definition["artifactType"], "metadata": {}}
                    ]
                }
                for key, definition in component["outputDefinitions"]["artifacts"].items()
            },
        },
    }
    arguments = [json.dumps(invocation) if word == "{{$}}" else word for word in container["args"]]
    command = [sys.executable, *container["command"][1:], *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    vocabulary = tmp_path / "transform_graph" / "transform_fn" / "assets" / "scenario"
    assert sorted(vocabulary.read_text().split()) == ["banner", "feed", "search"]


def _runtime(key, artifact):
    metadata = {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in [*artifact.properties.items(), *artifact.custom_properties.items()]
    }
    return {"name": key, "uri": artifact.uri, "type": {"schemaTitle": f"tfx.{artifact.type}"}, "metadata": metadata}
