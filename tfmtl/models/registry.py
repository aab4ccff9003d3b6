"""Registry of the models by the name that settings and the command line use.

The registry describes a model without importing it: a class is imported, and TensorFlow with it, when it is asked for.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, TypeVar

from tfmtl.models.options.info import ModelInfo

if TYPE_CHECKING:
    from tfmtl.models.core.multi_task_model import MultiTaskModel

_Model = TypeVar("_Model", bound="type[MultiTaskModel]")


class ModelRegistry(MutableMapping[str, "type[MultiTaskModel]"]):
    """Model classes by name, each of which is imported when it is first looked up.

    Example:
        >>> from tfmtl.models import MODELS
        >>> MODELS.info("mmoe").summary
        'Shared experts, a gate for each task'
        >>> MODELS["mmoe"].__name__
        'MMoE'
    """

    def __init__(self) -> None:
        self._infos: dict[str, ModelInfo] = {}
        self._classes: dict[str, type[MultiTaskModel]] = {}

    def describe(self, info: ModelInfo) -> None:
        """Adds a model that is imported when it is first looked up.

        Args:
            info: Description of the model.
        """
        self._infos[info.name] = info

    def info(self, name: str) -> ModelInfo:
        """Returns the description of a model, without importing its class.

        Args:
            name: Name of a registered model.

        Raises:
            ValueError: If no model has this name; the message lists all names.
        """
        if name not in self._infos:
            raise ValueError(f"`model` should be one of {', '.join(sorted(self._infos))}. Received: {name!r}")
        return self._infos[name]

    def is_taken(self, name: str, model: "type[MultiTaskModel]") -> bool:
        """Returns whether a name belongs to another class, or to this class already.

        Args:
            name: Name of a model.
            model: Class to register.
        """
        return name in self._classes or (name in self._infos and not self._describes(name, model))

    def _describes(self, name: str, model: "type[MultiTaskModel]") -> bool:
        info = self._infos.get(name)
        return info is not None and (info.module, info.class_name) == (model.__module__, model.__name__)

    def __getitem__(self, name: str) -> "type[MultiTaskModel]":
        if name not in self._classes:
            info = self._infos[name]
            self._classes[name] = getattr(importlib.import_module(info.module), info.class_name)
        return self._classes[name]

    def __setitem__(self, name: str, model: "type[MultiTaskModel]") -> None:
        if not self._describes(name, model):
            self.describe(_info_of(name, model))
        self._classes[name] = model

    def __delitem__(self, name: str) -> None:
        del self._infos[name]
        self._classes.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._infos  # Without importing the class, unlike the default implementation.

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)


MODELS = ModelRegistry()
"""Model classes by name. `import tfmtl.models` adds those of the package."""


def register_model(name: str) -> Callable[[_Model], _Model]:
    """Registers a subclass of `MultiTaskModel` under a name, and with Keras as `tfmtl>ClassName`.

    Settings, the command line and `AdaFTROptions.backbone` refer to the model by this name. A `.keras` file of the
    model can be loaded wherever its class is registered.

    Args:
        name: Name of the model in settings.

    Returns:
        A class decorator.

    Raises:
        ValueError: If the name is taken.

    Example:
        >>> from tfmtl.models import MODELS, MultiTaskModel, model_class, register_model
        >>> @register_model("my_model")
        ... class MyModel(MultiTaskModel):
        ...     pass
        >>> model_class("my_model").__name__
        'MyModel'
        >>> del MODELS["my_model"]  # So that the example can run again.
    """

    def register(model: _Model) -> _Model:
        import keras  # Imported here, since the registry itself does not need it.

        if MODELS.is_taken(name, model):
            message = f"`name` should not be the name of another model, {MODELS.info(name).class_name}"
            raise ValueError(f"{message}. Received: {name!r}")
        MODELS[name] = model
        keras.saving.register_keras_serializable(package="tfmtl")(model)
        return model

    return register


def model_class(name: str) -> "type[MultiTaskModel]":
    """Returns the class of a model, and imports it if necessary.

    Args:
        name: Name of a registered model.

    Raises:
        ValueError: If no model has this name; the message lists all names.

    Example:
        >>> from tfmtl.models import model_class
        >>> model_class("mmoe")
        <class 'tfmtl.models.mmoe.MMoE'>
    """
    MODELS.info(name)
    return MODELS[name]


def _info_of(name: str, model: "type[MultiTaskModel]") -> ModelInfo:
    """Returns the description of a model whose class is already imported."""
    summary = (inspect.getdoc(model) or "").split("\n", 1)[0].rstrip(".")
    return ModelInfo(
        name,
        model.__name__,
        model.__module__,
        model.options_class,
        summary=summary,
        paper=model.paper,
        equations=model.equations,
        defaults=model.defaults,
        presets=model.presets,
    )
