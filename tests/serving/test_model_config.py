"""Model config files, their reload, and HandleReloadConfigRequest."""

import pathlib
import time

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

import serving
from serving.model_config import ModelConfig, read_model_config
from serving.model_config_watch import ModelConfigWatch
from serving.server import EmbeddedServer
from serving.versions import VersionPolicy
from tfmtl.config import ConfigError

AVAILABLE, END = 30, 50
UNSUPPORTED = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"
)
NEITHER = "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
BOTH = "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."


def entry(name, base_path, more=""):
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more} }}'


def config_list(*entries):
    return f"model_config_list {{ {' '.join(entries)} }}"


def specific(*versions):
    return f"model_version_policy {{ specific {{ {' '.join(f'versions: {v}' for v in versions)} }} }}"


def label(name, version):
    return f'version_labels {{ key: "{name}" value: {version} }}'


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", ModelConfig("m", "/models/m")),
        ("model_version_policy { latest { num_versions: 2 } }", ModelConfig("m", "/models/m", VersionPolicy.latest(2))),
        ("model_version_policy { latest { } }", ModelConfig("m", "/models/m", VersionPolicy.latest(1))),
        ("model_version_policy: { all: {} }", ModelConfig("m", "/models/m", VersionPolicy.all())),
        (
            specific(1, 7) + label("stable", 1) + label("next", 7),
            ModelConfig("m", "/models/m", VersionPolicy.specific([1, 7]), {"stable": 1, "next": 7}),
        ),
        ("logging_config { sampling_config { sampling_rate: 0.1 } }", ModelConfig("m", "/models/m")),
    ],
)
def test_model_config_file(tmp_path, more, expected):
    text = config_list(entry("m", "/models/m", more))
    text_format.Parse(text, model_server_config_pb2.ModelServerConfig())  # TensorFlow Serving reads it too.
    (tmp_path / "models.config").write_text(f"# A comment\n{text}\n")
    (model,) = read_model_config(tmp_path / "models.config")
    assert model == ModelConfig("m", pathlib.Path("/models/m"), expected.policy, expected.labels)


def test_config_file_for_tensorflow_serving_is_read():
    path = pathlib.Path(serving.__file__).parent / "deploy" / "models.config"
    assert [model.name for model in read_model_config(path)] == ["tfmtl"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "model_config_list { konfig {} }",
            ':1:21 : Message type "tensorflow.serving.ModelConfigList" has no field named',
        ),
        ("model_config_list {", ":1:19 : "),
        ("", ": ServerModelConfig type not supported"),
        (config_list(), ": should list at least one model. Received: none"),
        (
            config_list(entry("m", "models/m")),
            ": Expected model m to have an absolute path or URI; got base_path()=models/m",
        ),
        (config_list(entry("m", "/a"), entry("m", "/b")), ": Illegal to list model m multiple times in config list"),
        ('model_config_list { config { name: "m" base_path: "/m" } }', f": {NEITHER}"),
        (config_list(entry("m", "/m", "model_type: TENSORFLOW")), f": {BOTH}"),
        (
            config_list(entry("m", "/m").replace('"tensorflow"', '"xgboost"')),
            ": Model m requests unsupported platform xgb",
        ),
    ],
)
def test_mistakes_in_a_model_config_file(tmp_path, text, message):
    (tmp_path / "models.config").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_model_config(tmp_path / "models.config")
    assert str(caught.value).startswith(f"{tmp_path / 'models.config'}{message}")


def test_model_config_file_that_cannot_be_read(tmp_path):
    for path, content in ((tmp_path / "gone", None), (tmp_path, None), (tmp_path / "binary", b"\xff\xfe")):
        if content:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match="should be a readable text file"):
            read_model_config(path)


@pytest.fixture
def folders(tmp_path, line_exports, publish):
    """Folders of the models `a` and `b`, each with the versions 1 and 2, whose slopes are 3 and 2."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for version in (1, 2):
            publish(line_exports[2 + version % 2], tmp_path / name / str(version))
    return tmp_path


class Caller:
    """Requests to a server with the messages of TensorFlow Serving."""

    def __init__(self, channel):
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def reload(self, text):
        """Returns None, or the code and the text of the error."""
        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(text, request.config)
        try:
            response = self._models.HandleReloadConfigRequest(request, timeout=20)
        except grpc.RpcError as error:
            return error.code().name, error.details()
        assert (response.status.error_code, response.status.error_message) == (0, "")
        return None

    def predict(self, name, label=None):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        if label is not None:
            request.model_spec.version_label = label
        request.inputs["x"].dtype = 1
        request.inputs["x"].tensor_shape.dim.add(size=1)
        request.inputs["x"].float_val.append(10.0)
        try:
            response = self._predictions.Predict(request, timeout=20)
        except grpc.RpcError as error:
            return error.details()
        assert response.outputs["y"].float_val[0] == (31.0 if response.model_spec.version.value % 2 else 21.0)
        return response.model_spec.version.value

    def states(self, name):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        return {s.version: s.state for s in self._models.GetModelStatus(request, timeout=20).model_version_status}


@pytest.fixture
def caller(folders):
    """A server of the newest version of `a`."""
    with (
        EmbeddedServer({"a": folders / "a"}, poll_seconds=0.05) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield Caller(channel)


def test_models_are_added_and_removed(caller, folders):
    assert caller.predict("b") == "Servable not found for request: Latest(b)"
    assert caller.reload(config_list(entry("a", folders / "a"), entry("b", folders / "b"))) is None
    assert (caller.predict("a"), caller.predict("b")) == (2, 2), "the answer comes after the model is loaded"
    assert caller.reload(config_list(entry("b", folders / "b", specific(1)))) is None
    assert caller.predict("a") == "Servable not found for request: Latest(a)"
    assert caller.states("a") == {2: END}
    wait_for(lambda: caller.predict("b") == 1)
    assert caller.reload(config_list(entry("a", folders / "a"), entry("b", folders / "b"))) is None
    assert caller.predict("a") == 2
    wait_for(lambda: caller.states("b") == {2: AVAILABLE, 1: END})


def test_base_path_is_changed(caller, folders, line_exports, publish):
    (folders / "moved").mkdir()
    publish(line_exports[3], folders / "moved" / "3")
    assert caller.reload(config_list(entry("a", folders / "moved"))) is None
    wait_for(lambda: caller.predict("a") == 3)


def test_labels_are_given_and_moved(caller, folders):
    assert caller.reload(config_list(entry("a", folders / "a", specific(1, 2) + label("stable", 1)))) is None
    wait_for(lambda: caller.states("a") == {1: AVAILABLE, 2: AVAILABLE})
    assert caller.predict("a", "stable") == 1
    assert caller.reload(config_list(entry("a", folders / "a", specific(1, 2) + label("stable", 2)))) is None
    assert caller.predict("a", "stable") == 2
    text = config_list(entry("a", folders / "a", specific(1, 2, 3) + label("stable", 3)))
    refusal = "Request to assign label to version 3 of model a, which is not currently available for inference"
    assert caller.reload(text) == ("FAILED_PRECONDITION", refusal)
    assert caller.predict("a", "stable") == 2
    assert caller.predict("a", "zz") == "Unrecognized servable version label: zz"
    assert caller.predict("nope", "stable") == "Unrecognized servable version label: stable"


def test_configurations_that_are_refused_change_nothing(caller, folders):
    for text, message in [
        ("", UNSUPPORTED),
        (config_list(entry("a", "/x"), entry("a", "/y")), "Illegal to list model a multiple times in config list"),
        (config_list('config { name: "b" base_path: "/b" }'), NEITHER),
    ]:
        assert caller.reload(text) == ("INVALID_ARGUMENT", message)
        assert caller.predict("a") == 2


def test_new_model_that_cannot_be_loaded(caller, folders):
    (folders / "broken" / "7").mkdir(parents=True)
    code, text = caller.reload(config_list(entry("a", folders / "a"), entry("broken", folders / "broken")))
    assert code == "UNKNOWN"
    start = "1 model(s) did not become available: {{{name: broken version: 7} due to error: NOT_FOUND: Could not find"
    assert text.startswith(start)
    assert caller.predict("a") == 2


def test_model_config_file_is_read_again(folders):
    path = folders / "models.config"
    path.write_text(config_list(entry("a", folders / "a")))
    models = read_model_config(path)
    with (
        EmbeddedServer({model.name: model for model in models}, poll_seconds=0.05) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        caller = Caller(channel)
        watch = ModelConfigWatch(path, 0.05, server.reload, models)
        path.write_text("model_config_list { config {")
        time.sleep(0.3)
        assert caller.predict("a") == 2
        path.write_text(config_list(entry("a", folders / "a", specific(1)), entry("b", folders / "b", label("s", 2))))
        wait_for(lambda: (caller.predict("a"), caller.predict("b", "s")) == (1, 2))
        watch.stop()
