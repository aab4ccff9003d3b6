"""Requests of the cases, valid or not, and what a case holds."""

import dataclasses

import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec


def tensor(value, dims=None, **fields) -> TensorProto:
    """Returns a tensor; with `dims`, one of these dimensions and fields, valid or not."""
    if dims is None:
        return tf.make_tensor_proto(value)
    proto = TensorProto(dtype=value, **fields)
    for size in dims:
        proto.tensor_shape.dim.add().size = size
    return proto


def spec(name="m", signature="", version=None, label=None) -> ModelSpec:
    result = ModelSpec(name=name, signature_name=signature)
    if version is not None:
        result.version.value = version
    if label is not None:
        result.version_label = label
    return result


def predict(inputs=None, outputs=(), **choice) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec=spec(**choice), output_filter=outputs)
    for alias, value in (inputs or {}).items():
        request.inputs[alias].CopyFrom(value if isinstance(value, TensorProto) else tensor(value))
    return request


def examples(*values: float) -> input_pb2.Input:
    result = input_pb2.Input()
    result.example_list.SetInParent()
    for value in values:
        result.example_list.examples.add().features.feature["x"].float_list.value.append(value)
    return result


def classify(*values: float, **choice) -> classification_pb2.ClassificationRequest:
    return classification_pb2.ClassificationRequest(model_spec=spec("e", **choice), input=examples(*values))


def regress(*values: float, **choice) -> regression_pb2.RegressionRequest:
    return regression_pb2.RegressionRequest(model_spec=spec("e", **choice), input=examples(*values))


def multi(*tasks: tuple[str, ModelSpec], values=(1.0,)) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest(input=examples(*values))
    for method, model_spec in tasks:
        request.tasks.add(method_name=method, model_spec=model_spec)
    return request


def metadata(*fields: str, name="m") -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec(name), metadata_field=fields)


def status(**choice) -> get_model_status_pb2.GetModelStatusRequest:
    return get_model_status_pb2.GetModelStatusRequest(model_spec=spec(**choice))


@dataclasses.dataclass
class Case:
    """Request of one method and the status that answers it; `part` is True if the text only begins so."""

    method: str
    request: object
    code: str
    text: str
    part: bool = False
