"""Declaration of the messages and enums of `serving.protos`, as in the .proto files of TensorFlow and its Serving.

A message is a dict from the names of its fields to their declarations: number, type and, for a field of a `oneof`, the
name of that group. A type is a scalar type of protobuf, or the full name of a message or enum; `repeated` or `map`
(with strings as keys) may precede it. The syntax is proto3.
"""

Declaration = tuple[int, str] | tuple[int, str, str]
"""Number, type and `oneof` of a field."""

PACKAGES = ("tensorflow", "tensorflow.error", "tensorflow.serving")
"""Packages of the messages and enums; the types of a package refer to those of the packages before it."""

ENUMS: dict[str, dict[str, int]] = {
    "tensorflow.DataType": {
        "DT_INVALID": 0,
        "DT_FLOAT": 1,
        "DT_DOUBLE": 2,
        "DT_INT32": 3,
        "DT_UINT8": 4,
        "DT_INT16": 5,
        "DT_INT8": 6,
        "DT_STRING": 7,
        "DT_COMPLEX64": 8,
        "DT_INT64": 9,
        "DT_BOOL": 10,
        "DT_BFLOAT16": 14,
        "DT_UINT16": 17,
        "DT_COMPLEX128": 18,
        "DT_HALF": 19,
        "DT_UINT32": 22,
        "DT_UINT64": 23,
    },
    "tensorflow.error.Code": {
        "OK": 0,
        "CANCELLED": 1,
        "UNKNOWN": 2,
        "INVALID_ARGUMENT": 3,
        "DEADLINE_EXCEEDED": 4,
        "NOT_FOUND": 5,
        "ALREADY_EXISTS": 6,
        "PERMISSION_DENIED": 7,
        "RESOURCE_EXHAUSTED": 8,
        "FAILED_PRECONDITION": 9,
        "ABORTED": 10,
        "OUT_OF_RANGE": 11,
        "UNIMPLEMENTED": 12,
        "INTERNAL": 13,
        "UNAVAILABLE": 14,
        "DATA_LOSS": 15,
        "UNAUTHENTICATED": 16,
    },
    "tensorflow.serving.ModelVersionStatus.State": {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    },
    "tensorflow.serving.ModelType": {
        "MODEL_TYPE_UNSPECIFIED": 0,
        "TENSORFLOW": 1,
        "OTHER": 2,
    },
}

MESSAGES: dict[str, dict[str, Declaration]] = {
    # The server hands examples to the graph as they are, so that it needs the name only.
    "tensorflow.Example": {},
    "tensorflow.TensorShapeProto": {
        "dim": (2, "repeated tensorflow.TensorShapeProto.Dim"),
        "unknown_rank": (3, "bool"),
    },
    "tensorflow.TensorShapeProto.Dim": {
        "size": (1, "int64"),
        "name": (2, "string"),
    },
    "tensorflow.TensorProto": {
        "dtype": (1, "tensorflow.DataType"),
        "tensor_shape": (2, "tensorflow.TensorShapeProto"),
        "version_number": (3, "int32"),
        "tensor_content": (4, "bytes"),
        "half_val": (13, "repeated int32"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "scomplex_val": (9, "repeated float"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
        "dcomplex_val": (12, "repeated double"),
        "uint32_val": (16, "repeated uint32"),
        "uint64_val": (17, "repeated uint64"),
    },
    "tensorflow.TensorInfo": {
        "name": (1, "string", "encoding"),
        "dtype": (2, "tensorflow.DataType"),
        "tensor_shape": (3, "tensorflow.TensorShapeProto"),
    },
    "tensorflow.SignatureDef": {
        "inputs": (1, "map tensorflow.TensorInfo"),
        "outputs": (2, "map tensorflow.TensorInfo"),
        "method_name": (3, "string"),
    },
    "tensorflow.serving.ModelSpec": {
        "name": (1, "string"),
        "version": (2, "google.protobuf.Int64Value", "version_choice"),
        "version_label": (4, "string", "version_choice"),
        "signature_name": (3, "string"),
    },
    "tensorflow.serving.PredictRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "inputs": (2, "map tensorflow.TensorProto"),
        "output_filter": (3, "repeated string"),
    },
    "tensorflow.serving.PredictResponse": {
        "model_spec": (2, "tensorflow.serving.ModelSpec"),
        "outputs": (1, "map tensorflow.TensorProto"),
    },
    "tensorflow.serving.ExampleList": {
        "examples": (1, "repeated tensorflow.Example"),
    },
    "tensorflow.serving.ExampleListWithContext": {
        "examples": (1, "repeated tensorflow.Example"),
        "context": (2, "tensorflow.Example"),
    },
    "tensorflow.serving.Input": {
        "example_list": (1, "tensorflow.serving.ExampleList", "kind"),
        "example_list_with_context": (2, "tensorflow.serving.ExampleListWithContext", "kind"),
    },
    "tensorflow.serving.Class": {
        "label": (1, "string"),
        "score": (2, "float"),
    },
    "tensorflow.serving.Classifications": {
        "classes": (1, "repeated tensorflow.serving.Class"),
    },
    "tensorflow.serving.ClassificationResult": {
        "classifications": (1, "repeated tensorflow.serving.Classifications"),
    },
    "tensorflow.serving.ClassificationRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "input": (2, "tensorflow.serving.Input"),
    },
    "tensorflow.serving.ClassificationResponse": {
        "result": (1, "tensorflow.serving.ClassificationResult"),
        "model_spec": (2, "tensorflow.serving.ModelSpec"),
    },
    "tensorflow.serving.Regression": {
        "value": (1, "float"),
    },
    "tensorflow.serving.RegressionResult": {
        "regressions": (1, "repeated tensorflow.serving.Regression"),
    },
    "tensorflow.serving.RegressionRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "input": (2, "tensorflow.serving.Input"),
    },
    "tensorflow.serving.RegressionResponse": {
        "result": (1, "tensorflow.serving.RegressionResult"),
        "model_spec": (2, "tensorflow.serving.ModelSpec"),
    },
    "tensorflow.serving.InferenceTask": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "method_name": (2, "string"),
    },
    "tensorflow.serving.InferenceResult": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "classification_result": (2, "tensorflow.serving.ClassificationResult", "result"),
        "regression_result": (3, "tensorflow.serving.RegressionResult", "result"),
    },
    "tensorflow.serving.MultiInferenceRequest": {
        "tasks": (1, "repeated tensorflow.serving.InferenceTask"),
        "input": (2, "tensorflow.serving.Input"),
    },
    "tensorflow.serving.MultiInferenceResponse": {
        "results": (1, "repeated tensorflow.serving.InferenceResult"),
    },
    "tensorflow.serving.GetModelMetadataRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "metadata_field": (2, "repeated string"),
    },
    "tensorflow.serving.GetModelMetadataResponse": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "metadata": (2, "map google.protobuf.Any"),
    },
    "tensorflow.serving.SignatureDefMap": {
        "signature_def": (1, "map tensorflow.SignatureDef"),
    },
    "tensorflow.serving.GetModelStatusRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
    },
    "tensorflow.serving.GetModelStatusResponse": {
        "model_version_status": (1, "repeated tensorflow.serving.ModelVersionStatus"),
    },
    "tensorflow.serving.ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, "tensorflow.serving.ModelVersionStatus.State"),
        "status": (3, "tensorflow.serving.StatusProto"),
    },
    "tensorflow.serving.StatusProto": {
        "error_code": (1, "tensorflow.error.Code"),
        "error_message": (2, "string"),
    },
    "tensorflow.serving.LogMetadata": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "sampling_config": (2, "tensorflow.serving.SamplingConfig"),
        "saved_model_tags": (3, "repeated string"),
        "timestamp_secs": (4, "int64"),
    },
    "tensorflow.serving.PredictionLog": {
        "log_metadata": (1, "tensorflow.serving.LogMetadata"),
        "classify_log": (2, "tensorflow.serving.ClassifyLog", "log_type"),
        "regress_log": (3, "tensorflow.serving.RegressLog", "log_type"),
        "multi_inference_log": (4, "tensorflow.serving.MultiInferenceLog", "log_type"),
        "session_run_log": (5, "tensorflow.serving.SessionRunLog", "log_type"),
        "predict_log": (6, "tensorflow.serving.PredictLog", "log_type"),
        "predict_streamed_log": (7, "tensorflow.serving.PredictStreamedLog", "log_type"),
    },
    "tensorflow.serving.PredictLog": {
        "request": (1, "tensorflow.serving.PredictRequest"),
        "response": (2, "tensorflow.serving.PredictResponse"),
    },
    "tensorflow.serving.ClassifyLog": {
        "request": (1, "tensorflow.serving.ClassificationRequest"),
        "response": (2, "tensorflow.serving.ClassificationResponse"),
    },
    "tensorflow.serving.RegressLog": {
        "request": (1, "tensorflow.serving.RegressionRequest"),
        "response": (2, "tensorflow.serving.RegressionResponse"),
    },
    "tensorflow.serving.MultiInferenceLog": {
        "request": (1, "tensorflow.serving.MultiInferenceRequest"),
        "response": (2, "tensorflow.serving.MultiInferenceResponse"),
    },
    # The embedded server refuses these logs, so that it needs their names only.
    "tensorflow.serving.SessionRunLog": {},
    "tensorflow.serving.PredictStreamedLog": {},
    # Configuration of a server, in files and in HandleReloadConfigRequest.
    "tensorflow.serving.ReloadConfigRequest": {
        "config": (1, "tensorflow.serving.ModelServerConfig"),
    },
    "tensorflow.serving.ReloadConfigResponse": {
        "status": (1, "tensorflow.serving.StatusProto"),
    },
    "tensorflow.serving.ModelServerConfig": {
        "model_config_list": (1, "tensorflow.serving.ModelConfigList", "config"),
        "custom_model_config": (2, "google.protobuf.Any", "config"),
    },
    "tensorflow.serving.ModelConfigList": {
        "config": (1, "repeated tensorflow.serving.ModelConfig"),
    },
    "tensorflow.serving.ModelConfig": {
        "name": (1, "string"),
        "base_path": (2, "string"),
        "model_type": (3, "tensorflow.serving.ModelType"),
        "model_platform": (4, "string"),
        "model_version_policy": (7, "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy"),
        "version_labels": (8, "map int64"),
        "logging_config": (6, "tensorflow.serving.LoggingConfig"),
    },
    "tensorflow.serving.FileSystemStoragePathSourceConfig": {},
    "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy": {
        "latest": (
            100,
            "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.Latest",
            "policy_choice",
        ),
        "all": (101, "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.All", "policy_choice"),
        "specific": (
            102,
            "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.Specific",
            "policy_choice",
        ),
    },
    "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.Latest": {
        "num_versions": (1, "uint32"),
    },
    "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.All": {},
    "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.Specific": {
        "versions": (1, "repeated int64"),
    },
    "tensorflow.serving.LoggingConfig": {
        "log_collector_config": (1, "tensorflow.serving.LogCollectorConfig"),
        "sampling_config": (2, "tensorflow.serving.SamplingConfig"),
    },
    "tensorflow.serving.LogCollectorConfig": {
        "type": (1, "string"),
        "filename_prefix": (2, "string"),
    },
    "tensorflow.serving.SamplingConfig": {
        "sampling_rate": (1, "double"),
    },
}
