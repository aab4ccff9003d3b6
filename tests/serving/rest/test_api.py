"""REST API on loaded models: predict, classify, regress, metadata and status, with their errors and metrics."""

import json

import numpy as np
import pytest
import tensorflow as tf

from serving.request_metrics import RequestMetrics
from serving.requests.limits import Limits
from serving.rest.api import RestApi
from serving.versions import ModelVersions

EXAMPLE = tf.train.Example(features=tf.train.Features(feature={"x": tf.train.Feature(float_list={"value": [0.25]})}))


@pytest.fixture(scope="module")
def models(tmp_path_factory, line_exports, ads_export, examples_export, publish):
    root = tmp_path_factory.mktemp("rest")
    found = {}
    for name, version, export in (
        ("m", "7", line_exports[2]),
        ("ads", "00000123", ads_export),
        ("e", "1", examples_export),
    ):
        (root / name).mkdir()
        publish(export, root / name / version)
        found[name] = ModelVersions(name, root / name)
        for _ in range(3):
            found[name].poll()
    yield found
    for model in found.values():
        model.close()


@pytest.fixture
def metrics(models):
    return RequestMetrics(models)


@pytest.fixture
def ask(models, metrics):
    """Sends a request, and returns the HTTP status and the JSON of the answer."""
    api = RestApi(models, Limits(max_batch=50), metrics)

    def send(path, document=None, method=None):
        body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
        status, text = api.answer(method or ("GET" if document is None else "POST"), path, body)
        return status, json.loads(text)

    return send


def test_rows_and_columns(ask):
    assert ask("/v1/models/m:predict", {"instances": [1.0, 2.5]}) == (200, {"predictions": [3.0, 6.0]})
    assert ask("/v1/models/m:predict", {"inputs": {"x": [1.0, 2.5]}}) == (200, {"outputs": [3.0, 6.0]})
    assert ask("/V1/Models/m/versions/7:PREDICT", {"inputs": [4]}) == (200, {"outputs": [9.0]})


def test_several_outputs_of_a_named_signature(ask):
    status, answer = ask(
        "/v1/models/m:predict", {"signature_name": "product", "instances": [{"x": [2, 3]}, {"x": [4, 5]}]}
    )
    assert (status, answer) == (200, {"predictions": [{"y": 5.0, "z": 6.0}, {"y": 9.0, "z": 20.0}]})


def test_scores_are_those_of_numpy(ask, expected_scores):
    rows = [
        {"age": 31.0, "city": "c2", "tags": ["a", "b"], "weights": [0.5, 2.0]},
        {"age": 8.5, "city": "", "tags": ["", ""], "weights": [0, 0]},
    ]
    status, answer = ask("/v1/models/ads:predict", {"signature_name": "raw", "instances": rows})
    assert status == 200
    expected = expected_scores([rows[0], {"age": 8.5}])
    for name, scores in expected.items():
        np.testing.assert_allclose([row[name] for row in answer["predictions"]], scores, rtol=1e-5)


def test_base64_of_examples(ask):
    import base64

    encoded = {"b64": base64.b64encode(EXAMPLE.SerializeToString()).decode()}
    answer = ask("/v1/models/m:predict", {"signature_name": "parse", "instances": [encoded, encoded]})
    assert answer == (200, {"predictions": [0.25, 0.25]})


def test_classify_and_regress(ask):
    document = {"signature_name": "classify", "examples": [{"x": 0.25}, {"x": 0.1}]}
    status, answer = ask("/v1/models/e:classify", document)
    assert (status, answer) == (200, {"results": [[["c0", 0.25], ["c1", 0.75]], [["c0", 0.1], ["c1", 0.9]]]})
    status, answer = ask("/v1/models/e:regress", {"signature_name": "regress", "context": {"x": 0.5}, "examples": [{}]})
    assert (status, answer) == (200, {"results": [0.5]})


def test_status(ask):
    expected = {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert ask("/v1/models/m") == (200, {"model_version_status": [expected]})
    assert ask("/v1/models/m/versions/7") == (200, {"model_version_status": [expected]})


def test_metadata(ask):
    status, answer = ask("/v1/models/m/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "m", "signature_name": "", "version": "7"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["product"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}], "unknown_rank": False},
        "name": "product_x:0",
    }


@pytest.mark.parametrize(
    ("path", "document", "status", "text"),
    [
        ("/v1/models/nope:predict", {"inputs": [1]}, 404, "Servable not found for request: Latest(nope)"),
        ("/v1/models/m/versions/9:predict", {"inputs": [1]}, 404, "Servable not found for request: Specific(m, 9)"),
        ("/v1/models/m/labels/zz:predict", {"inputs": [1]}, 400, "Unrecognized servable version label: zz"),
        ("/v1/models/nope", None, 404, "Could not find any versions of model nope"),
        ("/v1/models/m/versions/9", None, 404, "Could not find version 9 of model m"),
        ("/v1/models", None, 400, "Missing model name in request."),
        ("/v1/models/m:predict", None, 400, "Malformed request: GET /v1/models/m:predict"),
        ("/v1/models/m:explain", {}, 400, "Malformed request: POST /v1/models/m:explain"),
        ("/v1/models/m", {}, 400, "Malformed request: POST /v1/models/m"),
        (f"/v1/models/m/versions/{2**63}", None, 400, f"Failed to convert version: {2**63} to numeric."),
        (
            "/v1/models/m:predict",
            {"signature_name": "zz", "inputs": [1]},
            400,
            'Serving signature name: "zz" not found in signature def',
        ),
        ("/v1/models/m:predict", b"[1]", 400, "JSON Value: [\n    1\n] Is not object"),
        ("/v1/models/m:predict", {"inputs": ["a"]}, 400, 'JSON Value: "a" Type: String is not of expected type: float'),
        (
            "/v1/models/e:classify",
            {"signature_name": "classify"},
            400,
            'JSON Value: {\n    "signature_name": "classify"\n} When method is classify, key \'examples\' is expected '
            "and was not found",
        ),
        ("/v1/models/e:classify", {"examples": [1]}, 400, "Example must be JSON object but got JSON Number"),
        (
            "/v1/models/e:classify",
            {"examples": [{"x": [1.0, "a"]}]},
            400,
            "Unexpected element type in feature: x expecting type: float",
        ),
        (
            "/v1/models/e:regress",
            {"examples": [{"x": [None]}]},
            400,
            "Feature: x has element with unexpected JSON type: Null",
        ),
        (
            "/v1/models/e:regress",
            {"examples": [{"x": 2**63}]},
            400,
            "Feature: x has uint64 element. Only int64 is supported.",
        ),
    ],
)
def test_errors(ask, path, document, status, text):
    assert ask(path, document) == (status, {"error": text})


def test_a_request_with_too_many_rows(ask):
    status, answer = ask("/v1/models/m:predict", {"inputs": [0.0] * 51})
    assert status == 429
    assert "51" in answer["error"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "BREW"])
def test_other_methods_are_refused(ask, method):
    assert ask("/v1/models/m", None, method) == (400, {"error": f"Malformed request: {method} /v1/models/m"})


def test_names_are_percent_decoded(ask):
    assert ask("/v1/models/%6D/versions/7")[0] == 200
    assert ask("/v1/models/%ff")[0] == 400


def test_requests_are_counted(ask, metrics):
    ask("/v1/models/m:predict", {"inputs": [1]})
    ask("/v1/models/m:predict", {"inputs": ["a"]})
    ask("/v1/models/other:predict", {"inputs": [1]})
    text = metrics.text()
    for labels in (
        'model_name="m",status="OK"',
        'model_name="m",status="INVALID_ARGUMENT"',
        'model_name="",status="NOT_FOUND"',
    ):
        assert f":tensorflow:serving:request_count{{{labels}}} 1" in text
    assert 'request_latency_count{model_name="m",API="Predict",entrypoint="REST"} 1' in text
