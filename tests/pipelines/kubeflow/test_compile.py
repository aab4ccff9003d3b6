"""Compiled pipeline: it loads in kfp, and its containers have the right image and commands."""

import json

import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import json_format
from kfp.components import load_component_from_file
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines import kubeflow_settings
from pipelines.beam_runner import IN_PROCESS
from pipelines.cli import main
from pipelines.kubeflow.compile import OUTPUTS_SPEC
from pipelines.kubeflow.names import legal_name
from pipelines.kubeflow.resources import DEFAULTS, quantity
from tests.pipelines.compiled import REPOSITORY, compile_demo
from tests.pipelines.kubeflow.submission.pipelines_server import pipelines_server
from tfmtl.config import ConfigError

EXAMPLES = [path for path in sorted((REPOSITORY / "examples").glob("*.yaml")) if not path.stem.startswith("compare_")]
STEPS = set(kubeflow_settings.STEPS) - {"Tuner"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_demo(tmp_path_factory.mktemp("kubeflow"), **{"--data": "/data/log"})


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def executors(specification):
    return {
        name: specification["deploymentSpec"]["executors"][component_of(specification, task)["executorLabel"]]
        for name, task in specification["root"]["dag"]["tasks"].items()
    }


def component_of(specification, task):
    return specification["components"][task["componentRef"]["name"]]


def test_kfp_loads_the_pipeline_with_every_component(compiled):
    spec = load_component_from_file(str(compiled)).pipeline_spec
    assert spec.pipeline_info.name == "demo"
    assert set(spec.root.dag.tasks) == STEPS
    assert {name: one.default_value.string_value for name, one in spec.root.input_definitions.parameters.items()} == {
        "anomalies": "refuse",
        "data": "/data/log",
        "root": spec.default_pipeline_root,
    }


def test_every_step_is_a_container_of_the_image_with_our_entry(compiled):
    """Open-source Kubeflow runs no resolver, and no driver of a step."""
    (specification,) = documents(compiled)
    for name, executor in executors(specification).items():
        assert set(executor) == {"container"}
        assert executor["container"]["image"] == "registry/tfmtl:1"
        assert executor["container"]["command"] == ["python", "-m", "pipelines.runners.kubeflow_step"]
        assert "lifecycle" not in executor["container"]
        arguments = executor["container"]["args"]
        assert arguments[arguments.index("--step") + 1] == name
        outputs = json.loads(arguments[arguments.index(OUTPUTS_SPEC) + 1])
        assert outputs == component_of(specification, specification["root"]["dag"]["tasks"][name])["outputDefinitions"]


def test_no_step_is_taken_from_a_cache(compiled):
    """The cache's key does not know the files of the log, nor what is at the push destination."""
    assert not any("cachingOptions" in task for task in documents(compiled)[0]["root"]["dag"]["tasks"].values())


def test_every_step_states_its_resources_and_those_that_refuse_are_not_retried(compiled):
    (specification,) = documents(compiled)
    for name, executor in executors(specification).items():
        default = DEFAULTS[name]
        stated = executor["container"]["resources"]
        assert stated["resourceMemoryLimit"] == stated["resourceMemoryRequest"] == default.memory
        assert stated["cpuLimit"] == default.cpu
        assert stated["memoryLimit"] == pytest.approx(quantity(default.memory) / 1e9)
        retry = specification["root"]["dag"]["tasks"][name].get("retryPolicy", {})
        assert retry.get("maxRetryCount", 0) == default.retries == (0 if name in ("ExampleValidator", "Pusher") else 2)


KUBEFLOW = """
kubeflow:
  destination: /models/{name}
  checkpoints: /models/checkpoints
  steps:
    Trainer: {cpu: 16, memory: 64Gi, accelerator: nvidia.com/gpu, accelerators: 2, retries: 5}
    LogExampleGen: {beam_pipeline_args: [--direct_num_workers=4]}
  volumes: [{claim: models, path: /models}]
  secrets: [{name: s3-keys, env: {AWS_ACCESS_KEY_ID: user, AWS_SECRET_ACCESS_KEY: password}}]
  env: {AWS_ENDPOINT_URL: "http://minio:9000"}
"""


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configured")
    settings = folder / "settings.yaml"
    settings.write_text((REPOSITORY / "examples" / "demo.yaml").read_text() + KUBEFLOW)
    return settings, documents(compile_demo(folder, settings, **{"--data": "/data/log"}))


def test_steps_have_the_resources_of_the_settings(configured):
    specification = configured[1][0]
    kfp_loaded = json_format.ParseDict(specification, pipeline_spec_pb2.PipelineSpec())
    assert kfp_loaded.root.dag.tasks["Trainer"].retry_policy.max_retry_count == 5
    trainer = executors(specification)["Trainer"]["container"]
    assert trainer["resources"]["resourceMemoryLimit"] == "64Gi"
    assert trainer["resources"]["resourceCpuLimit"] == "16"
    assert trainer["resources"]["accelerator"] == {
        "type": "nvidia.com/gpu",
        "count": "2",
        "resourceType": "nvidia.com/gpu",
        "resourceCount": "2",
    }
    assert trainer["env"] == [{"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"}]
    assert "--direct_num_workers=4" in executors(specification)["LogExampleGen"]["container"]["args"]
    parameters = specification["root"]["dag"]["tasks"]["Pusher"]["inputs"]["parameters"]
    assert parameters["destination"]["runtimeValue"]["constant"] == "/models/demo"


def test_volumes_and_secrets_are_a_platform_specification(configured):
    specification, platform = configured[1]
    found = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(found) == {one["executorLabel"] for one in specification["components"].values()}
    for one in found.values():
        message = json_format.ParseDict(one, KubernetesExecutorConfig(), ignore_unknown_fields=True)
        assert [(mount.constant, mount.mount_path) for mount in message.pvc_mount] == [("models", "/models")]
        (secret,) = message.secret_as_env
        assert secret.secret_name == "s3-keys"
        assert [(key.env_var, key.secret_key) for key in secret.key_to_env] == [
            ("AWS_ACCESS_KEY_ID", "user"),
            ("AWS_SECRET_ACCESS_KEY", "password"),
        ]


def test_a_server_receives_what_is_compiled(configured, compiled):
    for path, parts in ((compiled, 1), (configured[0].with_name("pipeline.yaml"), 2)):
        with pipelines_server() as server:
            words = ["--host", server.address, "--root", "gs://bucket/new", "--parameter", "data=gs://bucket/log"]
            result = CliRunner().invoke(main, ["submit", str(path), *words])
        assert result.exit_code == 0, result.output
        expected, run = documents(path), server.runs[0]
        assert len(expected) == parts
        named = dict(zip(("pipeline_spec", "platform_spec"), expected, strict=False))
        assert run["pipeline_spec"] == (named if parts > 1 else expected[0])
        assert run["runtime_config"]["parameters"] == {"data": "gs://bucket/log", "root": "gs://bucket/new"}


def test_vertex_has_one_document_and_no_volumes(configured, compiled, tmp_path):
    vertex = compile_demo(tmp_path, **{"--data": "/data/log", "--target": "vertex", "--root": "gs://bucket/x"})
    assert len(documents(vertex)) == 1
    options = [
        "--image",
        "i",
        "--root",
        "gs://b",
        "--data",
        "x",
        "--target",
        "vertex",
        "--out",
        str(tmp_path / "p.yaml"),
    ]
    result = CliRunner().invoke(main, ["compile", str(configured[0]), *options])
    assert result.exit_code == 2
    assert "kubeflow.volumes should be left out with --target vertex" in result.output


def test_beam_jobs_run_in_the_process_of_their_container(compiled):
    """Beam's own default downloads another runner."""
    spec = yaml.safe_load(compiled.read_text())
    executors = [e["container"]["args"] for e in spec["deploymentSpec"]["executors"].values() if "container" in e]
    runners = [[word for word in arguments if word.startswith("--runner=")] for arguments in executors]
    assert runners == [[f"--runner={IN_PROCESS}"]] * len(STEPS)


def test_steps_whose_beam_workers_run_elsewhere_keep_the_uris(tmp_path):
    settings = tmp_path / "settings.yaml"
    text = (REPOSITORY / "examples" / "demo.yaml").read_text()
    for added, steps in (
        ("kubeflow: {steps: {Evaluator: {beam_pipeline_args: [--runner=DataflowRunner]}}}", {"Evaluator"}),
        ("beam_pipeline_args: [--runner=DataflowRunner]", {"LogExampleGen", "Evaluator"}),
    ):
        settings.write_text(f"{text}\n{added}\n")
        found = executors(documents(compile_demo(tmp_path, settings, **{"--data": "/data/log"}))[0])
        arguments = {name: one["container"]["args"] for name, one in found.items()}
        assert {name for name, words in arguments.items() if "--keep_uris" in words} == steps
        for name in set(arguments) - steps:
            runners = [word for word in arguments[name] if word.startswith("--runner=")]
            assert runners[-1] == f"--runner={IN_PROCESS}", "Beam takes the last one"


def test_a_refused_log_fails_a_step_on_which_the_others_depend(tmp_path):
    settings = tmp_path / "demo.yaml"
    settings.write_text((REPOSITORY / "examples" / "demo.yaml").read_text())
    (tmp_path / "demo.schema.pbtxt").write_text('feature { name: "city" type: BYTES }')
    compiled = yaml.safe_load(compile_demo(tmp_path, settings, **{"--data": "/data/log"}).read_text())
    tasks = compiled["root"]["dag"]["tasks"]
    assert "ExampleValidator" in tasks["Transform"]["dependentTasks"]
    parameters = tasks["ExampleValidator"]["inputs"]["parameters"]
    assert "city" in parameters["schema"]["runtimeValue"]["constant"]
    assert parameters["mode"] == {"componentInputParameter": "anomalies"}


def test_a_warm_start_uses_a_model_of_the_push_destination(tmp_path):
    settings = tmp_path / "settings.yaml"
    text = (REPOSITORY / "examples" / "demo.yaml").read_text()
    settings.write_text(text.replace("\ntraining:\n", "\ntraining:\n  warm_start: latest\n"))
    tasks = documents(compile_demo(tmp_path, settings, **{"--data": "/data/log"}))[0]["root"]["dag"]["tasks"]
    start = tasks["Trainer"]["inputs"]["artifacts"]["base_model"]["taskOutputArtifact"]
    assert start == {"producerTask": "ServedModel", "outputArtifactKey": "start"}
    assert "model_run" in tasks["Pusher"]["inputs"]["artifacts"]


def test_the_trainer_depends_on_the_tuner_if_the_settings_ask_for_trials(tmp_path):
    settings = tmp_path / "settings.yaml"
    text = (REPOSITORY / "examples" / "demo.yaml").read_text()
    settings.write_text(text + "\ntune: {trials: 3}\n")
    compiled = yaml.safe_load(compile_demo(tmp_path, settings, **{"--data": "/data/log"}).read_text())
    tasks = compiled["root"]["dag"]["tasks"]
    assert tasks["Trainer"]["inputs"]["artifacts"]["hyperparameters"]["taskOutputArtifact"]["producerTask"] == "Tuner"


def test_json_holds_a_job_of_the_same_pipeline(compiled, tmp_path):
    compile_demo(tmp_path, **{"--out": str(tmp_path / "job.json"), "--data": "/data/log", "--target": "vertex"})
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
        ("pipeline.json", ["--data", "/data/log"], "out should end in .yaml, as .json is for --target vertex"),
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
