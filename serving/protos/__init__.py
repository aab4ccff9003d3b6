"""Messages of TensorFlow and TensorFlow Serving that clients and the embedded server exchange, without TensorFlow.

The messages are wire compatible with those of the packages `tensorflow` and `tensorflow-serving-api`: the names,
numbers and types of the fields are the same. They declare only the fields that are used here, and keep the other fields
of the bytes that they are parsed from. Their descriptors are in a separate pool, so that a process may use both kinds.
"""

from typing import Any

from google.protobuf import message_factory

from serving.protos.pool import POOL


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


SignatureDef = _message("tensorflow.SignatureDef")
TensorProto = _message("tensorflow.TensorProto")

ClassificationRequest = _message("tensorflow.serving.ClassificationRequest")
ClassificationResponse = _message("tensorflow.serving.ClassificationResponse")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")
InferenceTask = _message("tensorflow.serving.InferenceTask")
LogMetadata = _message("tensorflow.serving.LogMetadata")
ModelServerConfig = _message("tensorflow.serving.ModelServerConfig")
ModelSpec = _message("tensorflow.serving.ModelSpec")
ModelVersionStatus = _message("tensorflow.serving.ModelVersionStatus")
MultiInferenceRequest = _message("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = _message("tensorflow.serving.MultiInferenceResponse")
PredictionLog = _message("tensorflow.serving.PredictionLog")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
RegressionRequest = _message("tensorflow.serving.RegressionRequest")
RegressionResponse = _message("tensorflow.serving.RegressionResponse")
ReloadConfigRequest = _message("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = _message("tensorflow.serving.ReloadConfigResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
