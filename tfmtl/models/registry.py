"""Registry of the models by the name that settings and the command line use."""

from collections.abc import Callable
from typing import TypeVar

import keras

from tfmtl.models.core.multi_task_model import MultiTaskModel

MODELS: dict[str, type[MultiTaskModel]] = {}
"""Model classes by name. `import tfmtl.models` registers those of the package."""

_Model = TypeVar("_Model", bound=type[MultiTaskModel])


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
        if name in MODELS:
            message = f"`name` should not be the name of another model, {MODELS[name].__name__}"
            raise ValueError(f"{message}. Received: {name!r}")
        MODELS[name] = model
        keras.saving.register_keras_serializable(package="tfmtl")(model)
        return model

    return register


def model_class(name: str) -> type[MultiTaskModel]:
    """Returns the class of a model.

    Args:
        name: Name of a registered model.

    Raises:
        ValueError: If no model has this name; the message lists all names.

    Example:
        >>> from tfmtl.models import model_class
        >>> model_class("mmoe")
        <class 'tfmtl.models.mmoe.MMoE'>
    """
    if name not in MODELS:
        raise ValueError(f"`model` should be one of {', '.join(sorted(MODELS))}. Received: {name!r}")
    return MODELS[name]
