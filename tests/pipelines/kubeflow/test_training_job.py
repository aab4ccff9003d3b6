"""Manifest of a training on several machines: fields that the training operator knows, and a command that exists."""

import json
import pathlib

import kubernetes.client
import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow import training_job

SETTINGS = """\
name: Shop_2
spec:
  name: shop
  features:
    - {name: user, kind: categorical, min_frequency: 2}
    - {name: price, kind: numerical}
  tasks:
    - {name: click, label: clicked, output: ctr}
    - {name: buy, label: bought, follows: click, output: ctcvr}
model: {name: mmoe}
training:
  batch_size: 256
  warm_start: /models/$(HOME)/model_run
  distribution: {kind: multi_worker}
kubeflow:
  steps:
    Trainer: {cpu: 2.5, memory: 6Gi, accelerator: nvidia.com/gpu, accelerators: 2, retries: 5}
  volumes:
    - {claim: data-claim, path: /data}
    - {claim: models-claim, path: /models/}
  secrets:
    - {name: store, env: {AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key}}
  env: {AWS_ENDPOINT_URL: "http://minio:9000"}
"""
OPTIONS = {
    "--image": "registry/tfmtl:1",
    "--workers": "3",
    "--examples": "/data/prepared/examples",
    "--transform": "/data/prepared/transform",
    "--root": "/models/shop",
    "--out": "job.yaml",
}
JOB = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "enableDynamicWorker": bool,
        "successPolicy": str,
        "runPolicy": {
            "activeDeadlineSeconds": int,
            "backoffLimit": int,
            "cleanPodPolicy": str,
            "schedulingPolicy": dict,
            "suspend": bool,
            "ttlSecondsAfterFinished": int,
        },
        "tfReplicaSpecs": {"Worker": {"replicas": int, "restartPolicy": str, "template": dict}},
    },
}
"""Fields of `tfjobs.kubeflow.org` in version v1, with their types, above the template of a pod."""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("shop.yaml").write_text(SETTINGS)


def invoke(code=0, **options):
    words = [word for pair in {**OPTIONS, **options}.items() for word in pair]
    done = CliRunner().invoke(main, ["training-job", "shop.yaml", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done.output


def manifest(**options):
    assert "training of " in invoke(**options)
    return yaml.safe_load(pathlib.Path("job.yaml").read_text())


def container(job):
    (found,) = job["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    return found


def assert_fields(found, fields, place="job"):
    """Checks that a mapping has known fields only, of the right types."""
    for name, value in found.items():
        assert name in fields, f"{place}.{name}"
        if isinstance(fields[name], dict):
            assert_fields(value, fields[name], f"{place}.{name}")
        else:
            assert type(value) is fields[name], f"{place}.{name}"


def test_the_fields_are_those_of_the_resource():
    job = manifest()
    assert_fields(job, JOB)
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    assert job["metadata"]["name"] == "shop-2"
    assert job["spec"]["runPolicy"] == {"cleanPodPolicy": "Running", "backoffLimit": 5}
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    assert (worker["replicas"], worker["restartPolicy"]) == (3, "ExitCode")


def test_unknown_fields_and_wrong_types_are_noticed():
    with pytest.raises(AssertionError, match=r"job\.spec\.cleanPodPolicy"):
        assert_fields({"spec": {"cleanPodPolicy": "All"}}, JOB)
    with pytest.raises(AssertionError, match="backoffLimit"):
        assert_fields({"spec": {"runPolicy": {"backoffLimit": "3"}}}, JOB)


def test_the_template_is_that_of_a_pod():
    """The client of Kubernetes drops fields that a pod does not have, and refuses to leave out required ones."""
    template = manifest()["spec"]["tfReplicaSpecs"]["Worker"]["template"]

    class Answer:
        data = json.dumps(template)

    client = kubernetes.client.ApiClient()
    read = client.deserialize(Answer, "V1PodTemplateSpec")
    assert client.sanitize_for_serialization(read) == template
    assert template["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}


def test_the_operator_finds_the_container_and_its_port():
    found = container(manifest())
    assert found["name"] == "tensorflow"
    assert found["ports"] == [{"name": "tfjob-port", "containerPort": 2222}]
    assert found["image"] == "registry/tfmtl:1"


def test_resources_volumes_and_secrets_are_those_of_the_settings():
    job = manifest()
    found, pod = container(job), job["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]
    amounts = {"cpu": "2.5", "memory": "6Gi", "nvidia.com/gpu": "2"}
    assert found["resources"] == {"requests": amounts, "limits": amounts}
    claims = {one["name"]: one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"]}
    mounts = {claims[one["name"]]: one["mountPath"] for one in found["volumeMounts"]}
    assert mounts == {"data-claim": "/data", "models-claim": "/models/"}
    assert found["env"] == [
        {"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"},
        {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "store", "key": "id"}}},
        {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "store", "key": "key"}}},
    ]


def test_settings_without_the_section_have_the_defaults_and_need_a_bucket():
    pathlib.Path("shop.yaml").write_text(SETTINGS.split("kubeflow:")[0])
    assert "; the volumes are at: none" in invoke(code=2)
    found = container(manifest(**dict.fromkeys(("--examples", "--transform", "--root"), "gs://bucket/x")))
    assert set(found["resources"]["limits"]) == {"cpu", "memory"}
    assert not {"env", "volumeMounts"} & set(found)


def test_the_worker_receives_the_settings_as_the_trainer_reads_them():
    """Kubernetes reduces $$ to $, and would replace $(HOME)."""
    from pipelines.settings_file import load_settings
    from pipelines.training.trainer import _from_config

    found = container(manifest())
    assert found["command"] == ["python", "-m", "pipelines.kubeflow.train_worker"]
    given = dict(zip(found["args"][::2], found["args"][1::2], strict=True))
    assert "$(HOME)" not in given["--config"].replace("$$", "")
    config = json.loads(given.pop("--config").replace("$$", "$"))
    assert given == {
        "--examples": "/data/prepared/examples",
        "--transform": "/data/prepared/transform",
        "--out": "/models/shop",
    }
    settings = load_settings("shop.yaml")
    assert _from_config(config) == (settings.spec, settings.model, settings.training, settings.name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"--examples": "/dat/x"},
            "--examples should be below the path of a volume in `kubeflow.volumes`, or in a buc",
        ),
        ({"--transform": "s3://bucket/x"}, "Received: 's3://bucket/x'; the volumes are at: /data, /models"),
        ({"--root": "/database"}, "--root should be below"),
        ({"--name": "2shops"}, "small letters, digits and hyphens, and begin with a letter. Received: '2shops'"),
        ({"--name": "a" * 51}, "--name should have at most 50"),
        ({"--out": "job.json"}, "--out should end in .yaml. Received: job.json"),
        ({"--workers": "1"}, "1 is not in the range x>=2"),
    ],
)
def test_wrong_options_are_refused(options, message):
    assert message in invoke(code=2, **options)
    assert not pathlib.Path("job.yaml").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{kind: multi_worker}", "{kind: mirrored}", "kind should be multi_worker for a training job. Received: mirr"),
        ("/models/$(HOME)/model_run", "latest", "training.warm_start should be a folder for a training job"),
        ("kubeflow:", "tune: {trials: 3}\nkubeflow:", "tune.trials should be 0 for a training job; `tfmtl tune`"),
        ("name: Shop_2", "name: '2026'", "and begin with a letter. Received: '2026'"),
    ],
)
def test_settings_of_another_training_are_refused(old, new, message):
    pathlib.Path("shop.yaml").write_text(SETTINGS.replace(old, new, 1))
    assert message in invoke(code=2)


def test_the_program_of_the_workers_exists():
    path = pathlib.Path(training_job.__file__).parents[2] / training_job.MODULE.replace(".", "/")
    assert path.with_suffix(".py").exists()
