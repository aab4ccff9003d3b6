"""Invocation of a step as TFX reads it, from the one that the launcher of Kubeflow Pipelines gives.

The launcher downloads the inputs of a step to local paths and uploads its outputs from there, but tells the step the
URIs of the store. The store of metadata gives artifacts back without their types, and wraps structures and lists.

References:
    Kubeflow Pipelines 2, `backend/src/v2/component/launcher_v2.go` (`LocalPathForURI`, `mergeRuntimeArtifacts`).
"""

import copy
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

_MOUNTS = {"gs": "gcs", "minio": "minio", "s3": "s3"}
_WRAPPERS = ("struct", "list")
_STORE_KEYS = ("display_name", "store_session_info")
"""Metadata that Kubeflow adds to each artifact."""


def local_invocation(
    invocation: Mapping[str, Any],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    mounts: str | None = "/",
) -> dict[str, Any]:
    """Returns an invocation with local paths, the types of the declared inputs and outputs, and plain metadata.

    Outputs that the step does not declare, such as `executor-logs`, are left out.

    Args:
        invocation: Message `ExecutorInput`, as plain data.
        inputs: Declared inputs, a message `ComponentInputsSpec`.
        outputs: Declared outputs, a message `ComponentOutputsSpec`.
        mounts: Folder below which the launcher places files; None to keep the URIs, for workers on other machines.

    Example:
        >>> from pipelines.kubeflow.invocation import local_invocation
        >>> model = {"artifactType": {"schemaTitle": "tfx.Model"}}
        >>> artifact = {"uri": "s3://bucket/model", "type": {"instanceSchema": ""}}
        >>> invocation = {"inputs": {"artifacts": {"model": {"artifacts": [artifact]}}}}
        >>> local = local_invocation(invocation, {"artifacts": {"model": model}}, {})
        >>> local["inputs"]["artifacts"]["model"]["artifacts"]
        [{'uri': '/s3/bucket/model', 'type': {'schemaTitle': 'tfx.Model'}, 'metadata': {}}]
    """
    local: dict[str, Any] = copy.deepcopy(dict(invocation))
    declared = outputs.get("artifacts", {})
    found = local.get("outputs", {})
    found["artifacts"] = {name: one for name, one in found.get("artifacts", {}).items() if name in declared}
    for part, specs in ((local.get("inputs", {}), inputs.get("artifacts", {})), (found, declared)):
        for name, artifact in _artifacts(part):
            artifact["uri"] = artifact["uri"] if mounts is None else local_path(artifact["uri"], mounts)
            artifact["type"] = specs[name]["artifactType"] if name in specs else artifact["type"]
            artifact["metadata"] = _plain_metadata(artifact.get("metadata") or {})
    return local


def stored_output(output: Mapping[str, Any], invocation: Mapping[str, Any], mounts: str = "/") -> dict[str, Any]:
    """Returns the output of a step with the URIs of the store in place of local paths.

    Args:
        output: Message `ExecutorOutput`, as plain data.
        invocation: Message `ExecutorInput` that the launcher gave.
        mounts: Folder below which the launcher places files.
    """
    uris = {local_path(one["uri"], mounts): one["uri"] for _, one in _artifacts(invocation.get("outputs", {}))}
    stored: dict[str, Any] = copy.deepcopy(dict(output))
    for _, artifact in _artifacts(stored):
        artifact["uri"] = uris.get(artifact.get("uri", ""), artifact.get("uri", ""))
    return stored


def output_paths(invocation: Mapping[str, Any]) -> list[str]:
    """Returns the paths of the outputs of a local invocation.

    Args:
        invocation: Result of `local_invocation`.
    """
    return [artifact["uri"] for _, artifact in _artifacts(invocation["outputs"])]


def local_path(uri: str, mounts: str = "/") -> str:
    """Returns the path at which the launcher places an artifact; a path that is no URI of a store is returned as it is.

    Args:
        uri: URI of the artifact.
        mounts: Folder below which the launcher places files.

    Example:
        >>> from pipelines.kubeflow.invocation import local_path
        >>> local_path("gs://bucket/runs/model")
        '/gcs/bucket/runs/model'
    """
    scheme, separator, rest = uri.partition("://")
    return posixpath.join(mounts, _MOUNTS[scheme], rest) if separator and scheme in _MOUNTS else uri


def _artifacts(part: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in part.get("artifacts", {}).items():
        for artifact in one.get("artifacts", []):
            yield name, artifact


def _plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _unwrapped(value) for name, value in metadata.items() if name not in _STORE_KEYS}


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1 and (key := next(iter(value))) in _WRAPPERS:
        return value[key]
    return value
