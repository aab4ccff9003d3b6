"""Meta units inside other layers."""

from collections.abc import Mapping
from typing import Any

import keras

from tfmtl.layers.meta_unit import MetaUnit
from tfmtl.types import Config


def inner_unit(unit: MetaUnit | None, owner: keras.layers.Layer, name: str) -> MetaUnit:
    """Returns a new unit with the options of the given one, and the dtype policy of the layer that owns it.

    Args:
        unit: Unit whose options are copied; None means those of `MetaUnit()`.
        owner: Layer that owns the new unit.
        name: Name of the new unit.
    """
    options = {} if unit is None else unit.get_options()
    return MetaUnit(**options, dtype=owner.dtype_policy, name=name)


def config_with_unit(config: Mapping[str, Any]) -> Config:
    """Returns a config in which the options of a `MetaUnit` are replaced by the unit; options may be missing."""
    names = MetaUnit().get_options().keys()
    options = {name: value for name, value in config.items() if name in names}
    return {**{name: value for name, value in config.items() if name not in names}, "unit": MetaUnit(**options)}
