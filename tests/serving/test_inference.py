"""Classify, Regress and MultiInference: results; `conformance` has the errors."""

import grpc
import pytest
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.inference import CLASSIFY, REGRESS

X = [0.25, 0.75]


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(params=["example_list", "example_list_with_context"])
def examples(request):
    """Examples with x = .25 and .75, of which one comes from the context if there is one: later features win."""
    result = input_pb2.Input()
    wanted = getattr(result, request.param)
    for value in X:
        wanted.examples.add().features.feature["x"].float_list.value.append(value)
    if request.param == "example_list_with_context":
        del wanted.examples[1].features.feature["x"]
        wanted.context.features.feature["x"].float_list.value.append(X[1])
    return result


def check_spec(spec, signature):
    assert (spec.name, spec.version.value, spec.signature_name) == ("e", 1, signature)


@pytest.mark.parametrize(
    ("signature", "labels", "scores"),
    [
        ("classify", ["c0", "c1"], [[0.25, 0.75], [0.75, 0.25]]),
        ("classify_classes", ["c0", "c1"], [[0.0, 0.0], [0.0, 0.0]]),
        ("classify_scores", ["", "", ""], [[0.25, 0.75, 0.25], [0.75, 0.25, 0.75]]),
    ],
)
def test_classify(stub, examples, signature, labels, scores):
    request = classification_pb2.ClassificationRequest(input=examples)
    request.model_spec.name, request.model_spec.signature_name = "e", signature
    response = stub.Classify(request, timeout=20)
    check_spec(response.model_spec, signature)
    rows = response.result.classifications
    assert [[entry.score for entry in row.classes] for row in rows] == scores
    assert all([entry.label for entry in row.classes] == labels for row in rows)


@pytest.mark.parametrize("signature", ["regress", "regress_column"])
def test_regress(stub, examples, signature):
    request = regression_pb2.RegressionRequest(input=examples)
    request.model_spec.name, request.model_spec.signature_name = "e", signature
    response = stub.Regress(request, timeout=20)
    check_spec(response.model_spec, signature)
    assert [regression.value for regression in response.result.regressions] == X


def test_multi_inference(stub, examples):
    request = inference_pb2.MultiInferenceRequest(input=examples)
    for method, signature in ((REGRESS, "regress"), (CLASSIFY, "classify"), (REGRESS, "regress_column")):
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = "e", signature
    results = stub.MultiInference(request, timeout=20).results
    for result, signature in zip(results, ("regress", "classify", "regress_column"), strict=True):
        check_spec(result.model_spec, signature)
    for result in (results[0], results[2]):
        assert [regression.value for regression in result.regression_result.regressions] == X
    scores = [[entry.score for entry in row.classes] for row in results[1].classification_result.classifications]
    assert scores == [[0.25, 0.75], [0.75, 0.25]]


def test_input_in_two_parts_is_merged(channel, stub):
    """Protobuf merges a message that comes twice, which no serializer writes."""
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "e", "regress"
    data = request.SerializeToString()
    for value in X:
        part = regression_pb2.RegressionRequest()
        part.input.example_list.examples.add().features.feature["x"].float_list.value.append(value)
        data += part.SerializeToString()
    merged = regression_pb2.RegressionRequest.FromString(data)
    answer = channel.unary_unary("/tensorflow.serving.PredictionService/Regress")(data, timeout=20)
    assert answer == stub.Regress(merged, timeout=20).SerializeToString()


def test_examples_that_are_not_utf8_are_quoted(stub):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "e", "regress"
    request.input.example_list.examples.add().features.feature["x"].bytes_list.value.append(b"\xff")
    with pytest.raises(grpc.RpcError) as caught:
        stub.Regress(request, timeout=20)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
