"""Fitters: the networks of `tfmtl`, logistic regression, LightGBM, and the values of the last week."""

import warnings
from collections.abc import Mapping
from typing import Any

from pipelines.compare.fitters.base import Fitted, Fitter
from pipelines.compare.fitters.boosting import LightGBM
from pipelines.compare.fitters.last_week import LastWeek
from pipelines.compare.fitters.logistic_regression import LogisticRegression
from pipelines.compare.fitters.network import Network
from tfmtl.config import Document, RenamedWarning, defaults_of
from tfmtl.config.renaming import present_names
from tfmtl.models import MODELS

FITTERS: dict[str, Fitter] = {
    "last_week": LastWeek(),
    "lightgbm": LightGBM(),
    "logistic_regression": LogisticRegression(),
}
"""Fitters of models other than those of `tfmtl`, by name."""
_NETWORK = Network()

__all__ = ["FITTERS", "Fitted", "Fitter", "default_values", "fitter_of", "present_options"]


def fitter_of(model: str) -> Fitter:
    """Returns the fitter of a model.

    Args:
        model: Name of a model of `tfmtl.models` or of a fitter of `FITTERS`.

    Raises:
        ValueError: If there is no model of that name; the message lists the names.
    """
    if model in FITTERS:
        return FITTERS[model]
    try:
        MODELS.info(model)
    except ValueError as error:
        raise ValueError(f"{str(error).partition('. ')[0]}, {', '.join(FITTERS)}. Received: {model!r}") from error
    return _NETWORK


def present_options(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces former names of options and of their values by the present ones, such as `space: previous`.

    Args:
        model: Name of the model.
        options: Options as plain data; those of a model that no longer exists remain as they are.
    """
    try:
        kind = fitter_of(model).options_class_of(model)
    except ValueError:
        return dict(options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RenamedWarning)
        names = present_names(kind, options, (), Document(dict(options)))
    return {name: value for name, (_, value) in names.items()}


def default_values(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of the options that are not given, as plain data; those of a model that it wraps included.

    Args:
        model: Name of the model.
        options: Options as plain data.
    """
    values = defaults_of(fitter_of(model).options_class_of(model), options)
    backbone = options.get("backbone", values.get("backbone"))
    if backbone is not None:
        own = {name: value for name, value in options.items() if not name.startswith("backbone")}
        values["backbone_options"] = default_values(backbone, {**own, **options.get("backbone_options", {})})
    return values
