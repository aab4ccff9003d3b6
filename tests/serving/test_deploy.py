"""Deployment files, parsed as TensorFlow Serving, Compose and Kubernetes parse them."""

import inspect
import json
import pathlib
import re

import grpc
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

import serving
from serving import request_metrics
from serving.client import TfmtlClient

DEPLOY = pathlib.Path(serving.__file__).parent / "deploy"


@pytest.fixture(scope="module")
def models():
    text = (DEPLOY / "models.config").read_text(encoding="utf-8")
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


@pytest.fixture(scope="module")
def monitoring():
    """Returns the fields of `monitoring.config`, whose message type no Python package contains."""
    text = re.sub(r"#.*", "", (DEPLOY / "monitoring.config").read_text(encoding="utf-8"))
    fields = re.fullmatch(r"\s*prometheus_config \{([^{}]*)\}\s*", text)[1]
    return dict(re.findall(r'(\w+): "?([^"\s]+)"?', fields))


@pytest.fixture(scope="module")
def batching():
    """Returns the message type `tensorflow.serving.BatchingParameters`, which no Python package contains."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", package="test", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
    )
    kind = file.message_type.add(name="BatchingParameters")
    for number, name, wrapper in [
        (1, "max_batch_size", "Int64Value"),
        (2, "batch_timeout_micros", "Int64Value"),
        (3, "max_enqueued_batches", "Int64Value"),
        (4, "num_batch_threads", "Int64Value"),
        (5, "thread_pool_name", "StringValue"),
    ]:
        type_name = f".google.protobuf.{wrapper}"
        kind.field.add(
            name=name, number=number, type=field.TYPE_MESSAGE, type_name=type_name, label=field.LABEL_OPTIONAL
        )
    kind.field.add(name="allowed_batch_sizes", number=6, type=field.TYPE_INT64, label=field.LABEL_REPEATED)
    kind.field.add(name="pad_variable_length_inputs", number=7, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("test.BatchingParameters"))
    return text_format.Parse((DEPLOY / "batching.config").read_text(encoding="utf-8"), message())


def arguments(container: dict) -> dict[str, str]:
    """Returns the flags of a container by name."""
    flags = container.get("args") or container["command"]
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags)


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]["serving"]


@pytest.fixture(scope="module")
def kubernetes():
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    return {document["kind"]: document for document in documents}


def test_newest_version_is_served(models):
    (config,) = models.model_config_list.config
    assert (config.name, config.base_path, config.model_platform) == ("tfmtl", "/models/tfmtl", "tensorflow")
    assert config.model_version_policy.latest.num_versions == 1


def test_batching_accepts_client_batches_and_does_not_pad_lists(batching):
    client_batch = inspect.signature(TfmtlClient).parameters["max_batch"].default
    assert batching.max_batch_size.value >= client_batch
    assert not batching.pad_variable_length_inputs
    assert 0 < batching.batch_timeout_micros.value <= 5000
    assert batching.max_enqueued_batches.value > 0
    assert batching.num_batch_threads.value > 0
    assert not batching.allowed_batch_sizes or batching.allowed_batch_sizes[-1] == batching.max_batch_size.value


def test_compose_mounts_the_paths_of_its_flags(compose):
    targets = {volume.rsplit(":", 2)[1] for volume in compose["volumes"]}
    assert arguments(compose)["model_config_file"] in targets
    assert "/models" in targets
    for volume in compose["volumes"]:
        source = volume.split(":")[0]
        assert not source.startswith("./") or (DEPLOY / source).is_file()
    assert all(port.startswith("127.0.0.1:") for port in compose["ports"])


def test_kubernetes_probes_grpc_and_mounts_the_paths_of_its_flags(kubernetes, models):
    pod = kubernetes["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    flags = arguments(container)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"]["port"] == ports["grpc"]
    assert flags["enable_grpc_healthcheck_service"] == "true"
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in pod["spec"]["volumes"]}
    for path in (flags["model_config_file"], models.model_config_list.config[0].base_path):
        assert str(pathlib.PurePosixPath(path).parent) in mounts


def test_kubernetes_service_selects_the_pods(kubernetes):
    labels = kubernetes["Deployment"]["spec"]["template"]["metadata"]["labels"]
    service = kubernetes["Service"]["spec"]
    assert service["selector"].items() <= labels.items()
    assert kubernetes["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["clusterIP"] == "None"
    container = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert {port["targetPort"] for port in service["ports"]} == {port["name"] for port in container["ports"]}


def test_metrics_are_on_the_rest_port(compose, kubernetes, monitoring):
    assert monitoring == {"enable": "true", "path": request_metrics.PATH}
    template = kubernetes["Deployment"]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == request_metrics.PATH
    assert int(annotations["prometheus.io/port"]) in [port["containerPort"] for port in container["ports"]]
    for flags in (arguments(compose), arguments(container)):
        path = pathlib.PurePosixPath(flags["monitoring_config_file"])
        assert (DEPLOY / path.name).is_file()
    assert f"./{path.name}:{path}:ro" in compose["volumes"]


def test_replicas_follow_the_load_and_end_after_their_requests(kubernetes):
    deployment, scaler = kubernetes["Deployment"], kubernetes["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaler["minReplicas"] >= deployment["spec"]["replicas"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "cpu" in container["resources"]["requests"], "utilization is relative to the request"
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause + inspect.signature(TfmtlClient).parameters["deadline"].default
    budget = kubernetes["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    assert budget == deployment["spec"]["selector"]["matchLabels"]


def test_dashboard_shows_the_metrics_of_our_server():
    metrics = request_metrics.RequestMetrics({"ads"})
    metrics.record("ads", "Predict", "GRPC", grpc.StatusCode.OK, 0.01)
    text = metrics.text()
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    assert (
        dashboard["templating"]["list"][1]["query"]["query"]
        == "label_values(:tensorflow:serving:request_count, model_name)"
    )
    for panel in dashboard["panels"][:5]:
        for target in panel["targets"]:
            for name in re.findall(r":tensorflow:\w+:\w+", target["expr"]):
                assert f"{name}{{" in text, (panel["title"], name)
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert f'{label}="' in text or label == "instance", (panel["title"], label)


def test_images_have_one_version(compose, kubernetes):
    image = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"]
    version = image.removeprefix("tensorflow/serving:")
    assert compose["image"] == f"tensorflow/serving:${{TF_SERVING_VERSION:-{version}}}"
    for path in DEPLOY.iterdir():
        text = path.read_text(encoding="utf-8")
        assert text.count("tensorflow/serving:") == text.count(image) + (
            path.suffix == ".yaml" and "compose" in path.name
        )
