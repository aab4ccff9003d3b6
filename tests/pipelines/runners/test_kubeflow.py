"""Compiled pipeline: it loads in kfp, and its containers have the right image and commands."""

import json

import pytest
import yaml
from click.testing import CliRunner
from kfp.components import load_component_from_file

from pipelines.cli import main
from pipelines.runners.beam_runner import IN_PROCESS
from pipelines.runners.kubeflow import legal_name
from tests.pipelines.compiled import REPOSITORY, compile_demo
from tfmtl.config import ConfigError

EXAMPLES = [path for path in sorted((REPOSITORY / "examples").glob("*.yaml")) if not path.stem.startswith("compare_")]
NOT_ON_KUBEFLOW = ("week",)
"""Examples with a setting that `compile` refuses: `training.keep_days`."""
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


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_demo(tmp_path_factory.mktemp("kubeflow"), **{"--data": "/data/log"})


def test_kfp_loads_the_pipeline_with_every_component(compiled):
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


def test_the_pusher_is_never_taken_from_the_cache(compiled):
    """It looks at the destination, of which the cache knows nothing."""
    tasks = yaml.safe_load(compiled.read_text())["root"]["dag"]["tasks"]
    cached = {name for name, task in tasks.items() if task.get("cachingOptions", {}).get("enableCache")}
    assert "Trainer" in cached
    assert "Pusher" not in cached


def test_beam_jobs_run_in_the_process_of_their_container(compiled):
    """Beam's own default downloads another runner."""
    spec = yaml.safe_load(compiled.read_text())
    executors = [e["container"]["args"] for e in spec["deploymentSpec"]["executors"].values() if "container" in e]
    runners = [[word for word in arguments if word.startswith("--runner=")] for arguments in executors]
    assert runners == [[f"--runner={IN_PROCESS}"]] * 8


def test_a_refused_log_fails_a_step_on_which_the_others_depend(tmp_path):
    settings = tmp_path / "demo.yaml"
    settings.write_text((REPOSITORY / "examples" / "demo.yaml").read_text())
    (tmp_path / "demo.schema.pbtxt").write_text('feature { name: "city" type: BYTES }')
    compiled = yaml.safe_load(compile_demo(tmp_path, settings, **{"--data": "/data/log"}).read_text())
    tasks = compiled["root"]["dag"]["tasks"]
    assert "ExampleValidator" in tasks["Transform"]["dependentTasks"]
    parameters = tasks["ExampleValidator"]["inputs"]["parameters"]
    assert "city" in parameters["schema"]["runtimeValue"]["constant"]
    assert parameters["mode"]["runtimeValue"]["constant"] == "refuse"


def test_a_warm_start_uses_the_last_blessed_model(tmp_path):
    settings = tmp_path / "settings.yaml"
    text = (REPOSITORY / "examples" / "demo.yaml").read_text()
    settings.write_text(text.replace("\ntraining:\n", "\ntraining:\n  warm_start: latest\n"))
    compiled = yaml.safe_load(compile_demo(tmp_path, settings, **{"--data": "/data/log"}).read_text())
    tasks = compiled["root"]["dag"]["tasks"]
    resolver = tasks["Trainer"]["inputs"]["artifacts"]["base_model"]["taskOutputArtifact"]["producerTask"]
    blessing = tasks[resolver]["inputs"]["artifacts"]["input"]["taskOutputArtifact"]["producerTask"]
    assert {resolver, blessing} == {name for name in tasks if name.lower().replace("_", "-") not in STEPS}


def test_the_trainer_depends_on_the_tuner_if_the_settings_ask_for_trials(tmp_path):
    settings = tmp_path / "settings.yaml"
    text = (REPOSITORY / "examples" / "demo.yaml").read_text()
    settings.write_text(text + "\ntune: {trials: 3}\n")
    compiled = yaml.safe_load(compile_demo(tmp_path, settings, **{"--data": "/data/log"}).read_text())
    tasks = compiled["root"]["dag"]["tasks"]
    assert tasks["Trainer"]["inputs"]["artifacts"]["hyperparameters"]["taskOutputArtifact"]["producerTask"] == "Tuner"


def test_json_holds_a_job_of_the_same_pipeline(compiled, tmp_path):
    compile_demo(tmp_path, **{"--out": str(tmp_path / "job.json"), "--data": "/data/log"})
    job = json.loads((tmp_path / "job.json").read_text())
    assert (
        job["pipelineSpec"]["root"]["dag"]["tasks"].keys()
        == yaml.safe_load(compiled.read_text())["root"]["dag"]["tasks"].keys()
    )


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(path, id=path.stem, marks=[] if "spec:" in path.read_text() else pytest.mark.long)
        for path in EXAMPLES
        if path.stem not in NOT_ON_KUBEFLOW
    ],
)
def test_every_example_compiles_to_a_pipeline_that_kfp_loads(settings, tmp_path):
    compiled = compile_demo(tmp_path, settings, **{"--data": "/data/log"})
    spec = load_component_from_file(str(compiled)).pipeline_spec
    assert spec.pipeline_info.name == settings.stem.replace("_", "-")
    assert spec.default_pipeline_root == str(tmp_path / "root")


@pytest.mark.parametrize(
    ("name", "expected"), [("ali_ccp", "ali-ccp"), ("_A b__c-", "a-b-c"), ("x" * 200, "x" * 128), ("2026", "2026")]
)
def test_names_are_made_legal(name, expected):
    assert legal_name(name) == expected


def test_a_name_without_a_legal_character_is_refused():
    with pytest.raises(ConfigError, match="name should have a letter"):
        legal_name("_")


@pytest.mark.parametrize(
    ("out", "data", "message"),
    [
        ("pipeline.txt", ["--data", "/data/log"], "out should end in .yaml or .json"),
        (
            "pipeline.yaml",
            [],
            "data.path should be the path of the log inside the containers, or --data",
        ),
    ],
)
def test_a_wrong_call_is_refused_and_writes_nothing(tmp_path, out, data, message):
    settings = str(REPOSITORY / "examples" / "demo.yaml")
    options = ["--image", "i", "--root", str(tmp_path), "--out", str(tmp_path / out), *data]
    result = CliRunner().invoke(main, ["compile", settings, *options])
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / out).exists()
