"""Small SavedModels, written once: one for the protocol, and one like an ads model with its scores in NumPy."""

import os
import shutil
import subprocess
import types
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.server import EmbeddedServer

CITIES = ["c0", "c1", "c2"]
ELSEWHERE = os.environ.get("TFMTL_SERVER", "")
"""Address of the server that the tests use instead of an embedded one."""
_REST_ELSEWHERE = os.environ.get("TFMTL_SERVER_REST", "")
controls_server = pytest.mark.skipif(bool(ELSEWHERE), reason="starts and stops its server")


class LineModel(tf.Module):
    """Module of y = slope * x + 1, with further signatures for invalid requests."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = tf.Variable(slope)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def line(self, x):
        return {"y": self.slope * x + 1.0}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def product(self, x):
        return {"y": tf.linalg.matvec(x, tf.ones([2])), "z": tf.reduce_prod(x, 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def parse(self, examples):
        parsed = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})
        return {"y": parsed["x"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def echo(self, text):
        joined = tf.strings.reduce_join(text)
        return {"text": text, "same": text, "length": tf.strings.length(text), "joined": joined, "size": tf.size(text)}


class AdsModel(tf.Module):
    """Module that scores age, city and weighted tags; `expected_scores` repeats its formulas in NumPy."""

    def __init__(self, bias: float, vocabulary: str):
        super().__init__()
        self.bias = tf.Variable(bias)
        self.vocabulary = tf.saved_model.Asset(vocabulary)
        initializer = tf.lookup.TextFileInitializer(
            self.vocabulary.asset_path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        )  # fmt: skip
        self.table = tf.lookup.StaticHashTable(initializer, -1)

    def score(self, age, city, tags, weights):
        present = tf.cast(tf.not_equal(tags, ""), tf.float32)
        logit = 0.1 * tf.where(tf.math.is_nan(age), 0.0, age) + 0.5 * tf.cast(self.table.lookup(city), tf.float32)
        weights = tf.where(tf.math.is_nan(weights), 1.0, weights)  # As in `serving.raw_features`.
        ctr = tf.sigmoid(logit + tf.reduce_sum(present * weights, 1) + self.bias)
        cvr = tf.sigmoid(0.25 * tf.reduce_sum(present, 1) - 0.5)
        return {"ctr": ctr, "cvr": cvr, "ctcvr": ctr * cvr}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "age"),
            tf.TensorSpec([None], tf.string, "city"),
            tf.TensorSpec([None, None], tf.string, "tags"),
            tf.TensorSpec([None, None], tf.float32, "weights"),
        ]
    )
    def raw(self, age, city, tags, weights):
        return self.score(age, city, tags, weights)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serving_default(self, examples):
        parsed = tf.io.parse_example(
            examples,
            {
                "age": tf.io.FixedLenFeature([], tf.float32, float("nan")),
                "city": tf.io.FixedLenFeature([], tf.string, ""),
                "tags": tf.io.FixedLenSequenceFeature([], tf.string, True, ""),
                "weights": tf.io.FixedLenSequenceFeature([], tf.float32, True, 0.0),
            },
        )
        return self.score(**parsed)


def save_line_model(folder: Path, slope: int) -> None:
    model = LineModel(float(slope))
    signatures = {"serving_default": model.line, "product": model.product, "parse": model.parse, "echo": model.echo}
    tf.saved_model.save(model, str(folder), signatures=signatures)


def save_ads_model(folder: Path) -> None:
    vocabulary = folder.parent / "cities.txt"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("\n".join(CITIES) + "\n")
    model = AdsModel(0.25, str(vocabulary))
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serving_default, "raw": model.raw})
    vocabulary.unlink()


@pytest.fixture(scope="session")
def line_exports(tmp_path_factory) -> dict[int, Path]:
    """SavedModels of `LineModel` by slope; tests copy them into version folders."""
    root = tmp_path_factory.mktemp("line")
    for slope in (2, 3):
        save_line_model(root / str(slope), slope)
    return {slope: root / str(slope) for slope in (2, 3)}


@pytest.fixture(scope="session")
def ads_export(tmp_path_factory) -> Path:
    """SavedModel of `AdsModel` with bias 0.25."""
    root = tmp_path_factory.mktemp("ads")
    save_ads_model(root / "export")
    return root / "export"


class ExamplesModel(tf.Module):
    """Module of classification and regression signatures, valid and not; `EXAMPLES_METHODS` gives their outputs."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def all(self, inputs):
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        scores = tf.stack([x, 1.0 - x], 1)
        return {
            "x": x, "column": x[:, None], "scores": scores, "three": tf.concat([scores, scores[:, :1]], 1),
            "classes": tf.fill(tf.shape(scores), "c") + tf.constant(["0", "1"]), "row": x[:1], "scores_row": scores[:1],
            "integer": tf.cast(x, tf.int64), "integers": tf.cast(scores, tf.int64),
        }  # fmt: skip

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "a"), tf.TensorSpec([None], tf.string, "b")])
    def two(self, a, b):
        return {"scores": tf.zeros([1, 1])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "inputs")])
    def number(self, inputs):
        return {"scores": inputs[:, None]}


# Method, signature whose tensors are used, names of its inputs, and outputs by name.
EXAMPLES_SIGNATURES = {
    "classify": ("classify", "all", "inputs", {"classes": "classes", "scores": "scores"}),
    "classify_classes": ("classify", "all", "inputs", {"classes": "classes"}),
    "classify_scores": ("classify", "all", "inputs", {"scores": "three"}),
    "classify_two": ("classify", "two", None, {"scores": "scores"}),
    "classify_input": ("classify", "all", "other", {"scores": "scores"}),
    "classify_output": ("classify", "all", "inputs", {"other": "scores"}),
    "classify_three": ("classify", "all", "inputs", {"classes": "classes", "scores": "scores", "x": "x"}),
    "classify_number": ("classify", "number", "inputs", {"scores": "scores"}),
    "classify_rank": ("classify", "all", "inputs", {"scores": "x"}),
    "classify_integers": ("classify", "all", "inputs", {"scores": "integers"}),
    "classify_rows": ("classify", "all", "inputs", {"scores": "scores_row"}),
    "classify_widths": ("classify", "all", "inputs", {"classes": "classes", "scores": "three"}),
    "regress": ("regress", "all", "inputs", {"outputs": "x"}),
    "regress_column": ("regress", "all", "inputs", {"outputs": "column"}),
    "regress_two": ("regress", "all", "inputs", {"outputs": "x", "other": "x"}),
    "regress_output": ("regress", "all", "inputs", {"other": "x"}),
    "regress_rows": ("regress", "all", "inputs", {"outputs": "row"}),
    "regress_integers": ("regress", "all", "inputs", {"outputs": "integer"}),
    "regress_rank": ("regress", "again", "inputs", {"outputs": "scores"}),
}


@pytest.fixture(scope="session")
def examples_export(tmp_path_factory) -> Path:
    """SavedModel of `ExamplesModel` with the signatures of `EXAMPLES_SIGNATURES`, which TensorFlow 2 cannot write."""
    path = tmp_path_factory.mktemp("examples") / "export"
    save_examples_model(path)
    return path


def save_examples_model(path: Path) -> None:
    model = ExamplesModel()
    signatures = {"all": model.all, "again": model.all, "two": model.two, "number": model.number}
    tf.saved_model.save(model, str(path), signatures=signatures | {"serving_default": model.all})
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    defined = saved.meta_graphs[0].signature_def
    for name, (method, source, alias, outputs) in EXAMPLES_SIGNATURES.items():
        signature = defined[name]
        signature.method_name = f"tensorflow/serving/{method}"
        for old, info in defined[source].inputs.items():
            signature.inputs[alias or old].CopyFrom(info)
        for output, tensor in outputs.items():
            signature.outputs[output].CopyFrom(defined[source].outputs[tensor])
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())


@pytest.fixture(scope="session")
def expected_scores() -> Callable[[list[dict]], dict[str, np.ndarray]]:
    """Returns the scores of `AdsModel` in plain NumPy."""

    def sigmoid(x):
        return 1.0 / (1.0 + np.exp(-x))

    def score(rows: list[dict]) -> dict[str, np.ndarray]:
        ctr, cvr = [], []
        for row in rows:
            age, tags = row.get("age"), row.get("tags") or []
            age = 0.0 if age is None or np.isnan(age) else age
            city = CITIES.index(row["city"]) if row.get("city") in CITIES else -1
            weights = sum(row.get("weights") or [1.0] * len(tags))
            ctr.append(sigmoid(0.1 * age + 0.5 * city + weights + 0.25))
            cvr.append(sigmoid(0.25 * len(tags) - 0.5))
        return {"ctr": np.array(ctr), "cvr": np.array(cvr), "ctcvr": np.array(ctr) * np.array(cvr)}

    return score


@pytest.fixture(scope="session")
def publish() -> Callable[[Path, Path], None]:
    """Copies an export and renames it to a version folder, as a pusher does."""

    def copy(export: Path, version_folder: Path) -> None:
        staged = version_folder.parent / f"staged-{version_folder.name}"
        shutil.copytree(export, staged)
        staged.rename(version_folder)

    return copy


@pytest.fixture(scope="session")
def server(tmp_path_factory, line_exports, ads_export, examples_export, publish):
    """Serves `LineModel` as `m` in version 7, `AdsModel` as `ads` in folder 00000123, and `ExamplesModel` as `e`.

    The environment variables TFMTL_SERVER and TFMTL_SERVER_REST give the addresses of another server of the models that
    `python -m tests.serving.write_models FOLDER` writes.
    """
    if ELSEWHERE:
        yield types.SimpleNamespace(address=ELSEWHERE, rest_address=_REST_ELSEWHERE)
        return
    root = tmp_path_factory.mktemp("served")
    for name in ("m", "ads", "e"):
        (root / name).mkdir()
    publish(line_exports[2], root / "m" / "7")
    publish(ads_export, root / "ads" / "00000123")
    publish(examples_export, root / "e" / "1")
    with EmbeddedServer({name: root / name for name in ("m", "ads", "e")}, rest_port=0) as running:
        yield running


@pytest.fixture(scope="session")
def channel(server):
    """Channel to `server` without a limit of the message size."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.address, options=options) as opened:
        yield opened


@pytest.fixture(scope="session")
def predict(channel):
    """Sends a Predict request whose arrays TensorFlow encodes."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def send(name="m", signature="", filter=(), inputs=None, **spec) -> predict_pb2.PredictResponse:
        request = predict_pb2.PredictRequest(output_filter=filter)
        request.model_spec.SetInParent()
        request.model_spec.name, request.model_spec.signature_name = name, signature
        if "version" in spec:
            request.model_spec.version.value = spec["version"]
        if "label" in spec:
            request.model_spec.version_label = spec["label"]
        for alias, value in (inputs or {}).items():
            proto = value if isinstance(value, TensorProto) else tf.make_tensor_proto(value)
            request.inputs[alias].CopyFrom(proto)
        return stub.Predict(request, timeout=20)

    return send


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Folder with an authority, and certificates of a server and of a client that it has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by openssl, which this machine lacks")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", 2)
    for name in ("server", "client"):
        openssl("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", 2, "-extfile", "names",
        )  # fmt: skip
    openssl("ec", "-in", "server.key", "-aes128", "-passout", "pass:secret", "-out", "locked.key")
    return folder
