"""Root of a pipeline's files on a cluster, which is a parameter of the run."""

from collections.abc import Mapping
from typing import Any

ROOT = "root"
"""Name of the parameter."""
PLACEHOLDER = "{root}"
"""Text that stands for the root in the paths of a compiled pipeline."""


def with_root(path: str, exec_properties: Mapping[str, Any]) -> str:
    """Returns a path in which the placeholder is replaced by the root of the run.

    Args:
        path: Path, with or without the placeholder.
        exec_properties: Parameters of the component; without `root`, the path is returned as it is.

    Example:
        >>> from pipelines.components.root import with_root
        >>> with_root("{root}/serving/shop", {"root": "gs://bucket/runs/"})
        'gs://bucket/runs/serving/shop'
    """
    root = exec_properties.get(ROOT)
    return path.replace(PLACEHOLDER, root.rstrip("/")) if root else path
