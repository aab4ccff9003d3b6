"""Declared search spaces without the values that do not fit the settings, and the values that the settings have."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.search.space import OPTIONS, TRAINING
from tfmtl.config import ConfigError
from tfmtl.search_space import Choice, Dimension, Space, values_to_validate

Check = Callable[[Mapping[str, Any]], object]
"""Raises a `ConfigError` if the settings with these values, by name, are not valid."""


def declared_space(options: Any, training: Any, check: Check) -> dict[str, Dimension]:
    """Returns the space that options and training settings declare, without the values that do not fit the settings.

    A range is left out if one of its bounds is not valid, and a choice if fewer than two of its values are.

    Args:
        options: Options of a model, with a method `declared_space()`.
        training: Training settings, with a method `declared_space()`; None for a model that has none.
        check: Checks the settings with a value in place of theirs.

    Returns:
        Hyper-parameters by the name `options.<field>` or `training.<field>`.
    """
    declared = {f"{OPTIONS}.{name}": one for name, one in options.declared_space().items()}
    if training is not None:
        declared |= {f"{TRAINING}.{name}": one for name, one in training.declared_space().items()}
    space: dict[str, Dimension] = {}
    for name, dimension in declared.items():
        valid = [value for value in values_to_validate(dimension) if _is_valid(check, {name: value})]
        if isinstance(dimension, Choice) and len(valid) >= 2:
            space[name] = dataclasses.replace(dimension, values=tuple(valid))
        elif len(valid) == len(values_to_validate(dimension)):
            space[name] = dimension
    return space


def given_values(space: Space, options: Any, training: Any) -> dict[str, Any]:
    """Returns the values that settings have, of those hyper-parameters of a space that have one.

    Args:
        space: Hyper-parameters by name.
        options: Options of the model.
        training: Training settings; None for a model that has none.

    Returns:
        Values by name, with lists in place of tuples.
    """
    given = {}
    for name in space:
        part, *path = name.split(".")
        value: Any = options if part == OPTIONS else training
        for field in path:
            value = value.get(field) if isinstance(value, Mapping) else getattr(value, field, None)
        if value is not None:
            given[name] = list(value) if isinstance(value, tuple) else value
    return given


def _is_valid(check: Check, values: Mapping[str, Any]) -> bool:
    try:
        check(values)
    except ConfigError:
        return False
    return True
