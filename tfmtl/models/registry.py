"""Models by the name under which settings and the command line know them."""

from collections.abc import Callable
from typing import TypeVar

import keras

from tfmtl.models.core.multi_task_model import MultiTaskModel

MODELS: dict[str, type[MultiTaskModel]] = {}
"""Every model class by its name; `import tfmtl.models` registers those of the package."""

_Model = TypeVar("_Model", bound=type[MultiTaskModel])


def register_model(name: str) -> Callable[[_Model], _Model]:
    """Registers a subclass of `MultiTaskModel` under a name, and with Keras as `tfmtl>ClassName`.

    Settings, the command line and `AdaFTROptions.backbone` then know the model by that name, and a saved `.keras` file
    of it loads.

    Args:
        name: of the model in settings.

    Returns:
        The class decorator.

    Raises:
        ValueError: if another class has that name.

    Example:

    ```python
    @register_model("my_model")
    class MyModel(MultiTaskModel):
        ...
    ```
    """

    def register(model: _Model) -> _Model:
        if name in MODELS:
            raise ValueError(f"name should not be registered yet. Received: {name!r}, of {MODELS[name].__name__}")
        MODELS[name] = model
        keras.saving.register_keras_serializable(package="tfmtl")(model)
        return model

    return register


def model_class(name: str) -> type[MultiTaskModel]:
    """Returns the model class of a name.

    Args:
        name: of a registered model.

    Raises:
        ValueError: if there is none of that name; the message lists the names there are.
    """
    if name not in MODELS:
        raise ValueError(f"model should be one of {', '.join(sorted(MODELS))}. Received: {name!r}")
    return MODELS[name]
