"""Search space of a model's hyper-parameters, and random draws from it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tfmtl.config import FieldError, require

OPTIONS, TRAINING = "options", "training"
"""First part of a hyper-parameter's name: the options of the model, or the training settings."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """Hyper-parameter with a list of equally likely values.

    Attributes:
        values: Values of any type, lists included.
        kind: Kind of the hyper-parameter, `choice`.
    """

    values: tuple[Any, ...]
    kind: Literal["choice"] = "choice"

    def __post_init__(self) -> None:
        require(len(self.values) >= 2, "values", "at least two", list(self.values))


@dataclasses.dataclass(frozen=True)
class Range:
    """Hyper-parameter with a range of numbers.

    Attributes:
        low: Smallest value.
        high: Largest value.
        kind: Kind of the hyper-parameter, `range`.
        log: If true, the logarithm of the value is uniformly distributed instead of the value.
        whole: If true, the values are integers.
    """

    low: float
    high: float
    kind: Literal["range"] = "range"
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        require(self.low < self.high, "high", f"above low, {self.low:g}", self.high)
        require(self.low > 0 or not self.log, "low", "above 0 if `log` is true", self.low)
        for name in ("low", "high"):
            is_integer = float(getattr(self, name)).is_integer()
            require(is_integer or not self.whole, name, "an integer if `whole` is true", getattr(self, name))

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Smallest and largest value, as integers if `whole` is true."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


_MAX_REPETITIONS = 100
"""Number of consecutive draws of known settings after which the space is considered exhausted."""
Dimension = Choice | Range
Space = Mapping[str, Dimension]
"""Hyper-parameters by name."""


def check_names(space: Space) -> None:
    """Checks that each name is `options.<field>` or `training.<field>`.

    Args:
        space: Hyper-parameters by name.

    Raises:
        FieldError: If a name has another form.
    """
    for name in space:
        parts = name.split(".")
        valid = len(parts) >= 2 and parts[0] in (OPTIONS, TRAINING) and all(parts)
        if not valid:
            expected = f"should be {OPTIONS}.<field> or {TRAINING}.<field>. Received: {name!r}"
            raise FieldError(("space", name), expected)


def values_to_validate(dimension: Dimension) -> Sequence[Any]:
    """Returns the values that must be valid for all draws to be valid: all choices, or both bounds of a range.

    Args:
        dimension: A hyper-parameter.
    """
    return dimension.values if isinstance(dimension, Choice) else dimension.bounds


def draw_settings(space: Space, trials: int, seed: int) -> list[dict[str, Any]]:
    """Draws different settings with keras-tuner's random search.

    Args:
        space: Hyper-parameters by name.
        trials: Number of settings.
        seed: Seed of the draws; more trials with the same seed begin with the same settings.

    Returns:
        Values by name for each trial; fewer than `trials` if the space has fewer settings.
    """
    import keras_tuner  # Imported here: it imports TensorFlow, and only a search needs it.

    parameters = keras_tuner.HyperParameters()
    for name, dimension in space.items():
        if isinstance(dimension, Choice):  # Choices of keras-tuner are numbers and strings, so an index is drawn.
            parameters.Choice(name, list(range(len(dimension.values))))
            continue
        sampling = "log" if dimension.log else "linear"
        low, high = dimension.bounds
        add = parameters.Int if dimension.whole else parameters.Float
        add(name, min_value=low, max_value=high, sampling=sampling)
    # For keras-tuner, the seed 0 is no seed.
    oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=trials, seed=seed + 1, hyperparameters=parameters)
    settings: list[dict[str, Any]] = []
    repetitions = 0
    while len(settings) < trials and repetitions < _MAX_REPETITIONS:
        values = oracle.populate_space(str(len(settings)))["values"]
        drawn = {name: _value(space[name], value) for name, value in values.items()}
        repetitions = repetitions + 1 if drawn in settings else 0
        if not repetitions:
            settings.append(drawn)
    return settings


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


def _value(dimension: Dimension, drawn: Any) -> Any:
    if isinstance(dimension, Choice):
        return dimension.values[drawn]
    return int(drawn) if dimension.whole else float(drawn)
