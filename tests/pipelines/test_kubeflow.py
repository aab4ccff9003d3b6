"""The compiled pipeline: what kfp reads, and that a step runs from the command that a container would run."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner
from kfp.components import load_component_from_file

from pipelines.cli import main

REPOSITORY = pathlib.Path(__file__).parents[2]
STEPS = {
    "logexamplegen",
    "statisticsgen",
    "schemagen",
    "examplevalidator",
    "transform",
    "trainer",
    "evaluator",
    "pusher",
    "latest-blessed-model-model-resolver",
    "latest-blessed-model-model-blessing-resolver",
}


def compile_demo(folder, **options):
    out = folder / "pipeline.yaml"
    arguments = {"--image": "registry/tfmtl:1", "--root": str(folder / "root"), "--out": str(out), **options}
    words = [word for pair in arguments.items() for word in pair]
    result = CliRunner().invoke(main, ["compile", str(REPOSITORY / "examples" / "demo.yaml"), *words])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_demo(tmp_path_factory.mktemp("kubeflow"), **{"--data": "/data/log"})


def test_kfp_loads_it_with_every_component(compiled):
    component = load_component_from_file(str(compiled))
    spec = component.pipeline_spec
    assert spec.pipeline_info.name == "demo"
    assert {name.lower().replace("_", "-") for name in spec.root.dag.tasks} == STEPS


def test_every_step_runs_in_the_image(compiled):
    spec = yaml.safe_load(compiled.read_text())
    containers = [e["container"] for e in spec["deploymentSpec"]["executors"].values() if "container" in e]
    assert len(containers) == 8
    assert {container["image"] for container in containers} == {"registry/tfmtl:1"}
    commands = {tuple(container["command"]) for container in containers}
    assert commands == {("python", "-m", "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor")}


def test_json_is_a_job_of_the_same_pipeline(compiled, tmp_path):
    compile_demo(tmp_path, **{"--out": str(tmp_path / "job.json"), "--data": "/data/log"})
    job = json.loads((tmp_path / "job.json").read_text())
    assert (
        job["pipelineSpec"]["root"]["dag"]["tasks"].keys()
        == yaml.safe_load(compiled.read_text())["root"]["dag"]["tasks"].keys()
    )


def test_an_unknown_ending_is_refused(tmp_path):
    settings = str(REPOSITORY / "examples" / "demo.yaml")
    options = ["--image", "i", "--root", str(tmp_path), "--out", str(tmp_path / "pipeline.txt")]
    result = CliRunner().invoke(main, ["compile", settings, *options])
    assert result.exit_code == 2
    assert "should end in .yaml or .json" in result.output


@pytest.mark.slow
def test_transform_runs_from_its_compiled_command(end_to_end, tmp_path):
    """The container's command, with the invocation that Kubeflow's launcher would put in place of `{{$}}`."""
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
