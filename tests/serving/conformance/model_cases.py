"""Errors of GetModelMetadata and GetModelStatus."""

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tests.serving.conformance.cases import Case, metadata, status

CASES = {
    "metadata: no model_spec": Case(
        "GetModelMetadata", get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
        "INVALID_ARGUMENT", "Missing ModelSpec",
    ),
    "metadata: no field": Case(
        "GetModelMetadata", metadata(), "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "metadata: unknown field": Case(
        "GetModelMetadata", metadata("zz"), "INVALID_ARGUMENT", "Metadata field zz is not supported"
    ),
    "metadata: unknown model": Case(
        "GetModelMetadata", metadata("signature_def", name="nope"), "NOT_FOUND",
        "Servable not found for request: Latest(nope)",
    ),
    "status: no model_spec": Case(
        "GetModelStatus", get_model_status_pb2.GetModelStatusRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"
    ),
    "status: unknown model": Case(
        "GetModelStatus", status(name="nope"), "NOT_FOUND", "Could not find any versions of model nope"
    ),
    "status: unknown version": Case(
        "GetModelStatus", status(version=9), "NOT_FOUND", "Could not find version 9 of model m"
    ),
    "status: version 0": Case(
        "GetModelStatus", status(version=0), "NOT_FOUND", "Could not find version 0 of model m"
    ),
    "status: version of an unknown model": Case(
        "GetModelStatus", status(name="nope", version=9), "NOT_FOUND", "Could not find version 9 of model nope"
    ),
}  # fmt: skip
