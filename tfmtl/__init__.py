"""Multi-task conversion models for ads and recommendation, in Keras 3.

`import tfmtl` imports neither Keras nor TensorFlow. The subpackages are imported when they are first used:

Example:
    >>> import tfmtl
    >>> tfmtl.layers.Gate.__name__
    'Gate'
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfmtl.spec import DatasetSpec

if TYPE_CHECKING:
    from tfmtl import health, introspection, layers, losses, metrics, models, ops, optimizers, training

__all__ = [
    "DatasetSpec",
    "health",
    "introspection",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "training",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"tfmtl.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
