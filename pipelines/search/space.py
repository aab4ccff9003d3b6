"""Names of hyper-parameters in settings, and their values in options and training settings."""

from collections.abc import Mapping
from typing import Any

from tfmtl.config import FieldError, require
from tfmtl.search_space import Space

OPTIONS, TRAINING = "options", "training"
"""First part of a hyper-parameter's name: the options of the model, or the training settings."""
_FIXED = ("seed", "monitor", "warm_start", "keep_days")


def check_names(space: Space, owner: str) -> None:
    """Checks that each name is `options.<field>` or `training.<field>`, and none is equal in all trials.

    Args:
        space: Hyper-parameters by name.
        owner: Name, for the error message, of what sets the fields that are equal in all trials.

    Raises:
        FieldError: If a name has another form, or its field is the seed, the monitor or the initial weights.
    """
    for name in space:
        parts = name.split(".")
        valid = len(parts) >= 2 and parts[0] in (OPTIONS, TRAINING) and all(parts)
        if not valid:
            expected = f"should be {OPTIONS}.<field> or {TRAINING}.<field>. Received: {name!r}"
            raise FieldError(("space", name), expected)
        fixed = parts[0] == TRAINING and parts[-1] in _FIXED
        require(not fixed, ("space", name), f"omitted, as the {owner} sets it", name)


def with_drawn_values(settings: Mapping[str, Any], drawn: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Replaces fields of the options or of the training settings by drawn values.

    Args:
        settings: Options or training settings, as plain data.
        drawn: Drawn values by name; the name `options.a.b` is the field b of the option a.
        part: First part of the names that apply, `OPTIONS` or `TRAINING`.

    Returns:
        The changed settings; `settings` itself is not changed.
    """
    result = dict(settings)
    for name, value in drawn.items():
        first, *path = name.split(".")
        if first != part:
            continue
        parent = result
        for field in path[:-1]:
            parent[field] = dict(parent.get(field) or {})
            parent = parent[field]
        parent[path[-1]] = list(value) if isinstance(value, tuple) else value
    return result
