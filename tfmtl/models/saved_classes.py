"""Announces the classes of this library to Keras, so that saved models load although their classes are not imported.

Keras finds the class of a saved object under its registered name, such as `tfmtl>MMoE`, which the import of the class
registers. As long as a class is not imported, a placeholder has its name. The placeholder imports the class when an
object of the class is loaded.
"""

import importlib
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tfmtl.models.registry import MODELS
from tfmtl.types import Config

_MODULES = {
    "tfmtl.layers": (
        *("CGC", "CrossStitch", "DynamicSelector", "Experts", "ExtractionNetwork", "FusedEmbedding", "Gate"),
        *("LogRoundEmbedding", "LogitCalibration", "MLP", "MetaAttention", "MetaTower", "MetaUnit", "PatternSelector"),
        *("RawValues", "Relatedness", "RepresentationIntegration", "SelfAttention", "SequenceEncoder", "SetAttention"),
        *("TaskAnchors", "TaskAttention", "TaskFeatureAttention", "Tower"),
    ),
    "tfmtl.losses": ("UncertaintyWeighting",),
    "tfmtl.metrics": (
        *("CalibrationRatio", "ExpectedCalibrationError", "GAUC", "LogitAUC", "NMAE", "NormalizedGini", "SMAPE"),
    ),
    "tfmtl.optimizers": ("RowSparseAdagrad", "RowSparseAdam", "RowSparseFtrl"),
    "tfmtl.training": ("ArchitectureSearch", "MetaLearning", "PlainTraining"),
}
"""Names of the classes that Keras may save, apart from models, by the package that gives them."""


class Placeholder:
    """Class that is imported when an object of it is loaded.

    Args:
        module: Module of the class.
        name: Name of the class.
    """

    def __init__(self, module: str, name: str):
        self.module = module
        self.name = name

    def from_config(self, config: Config) -> Any:
        """Imports the class and creates an object of it.

        Args:
            config: Result of the object's `get_config`.
        """
        return getattr(importlib.import_module(self.module), self.name).from_config(config)


class _AfterImportOfKeras:
    """Import hook that registers the placeholders as soon as Keras has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns how Keras is imported, and leaves all other modules to the next finder."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == "keras" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            sys.meta_path.remove(self)
            _register()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def announce() -> None:
    """Registers a placeholder for each class that is not imported; after the import of Keras if that is yet to come."""
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _AfterImportOfKeras())


def _register() -> None:
    """Registers the placeholders under the names that no class has."""
    import keras

    registered = keras.saving.get_custom_objects()
    places = {name: module for module, names in _MODULES.items() for name in names}
    places |= {info.class_name: info.module for info in map(MODELS.info, MODELS)}
    for name, module in places.items():
        registered.setdefault(f"tfmtl>{name}", Placeholder(module, name))
