"""The space of a model's hyper-parameters, and random draws from it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras_tuner

from tfmtl.config import FieldError, require

OPTIONS, TRAINING = "options", "training"
"""Where a hyper-parameter belongs: the first part of its name."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values, each as likely.

    Attributes:
        values: of any kind, lists too.
    """

    values: tuple[Any, ...]
    kind: Literal["choice"] = "choice"

    def __post_init__(self):
        require(len(self.values) >= 2, "values", "at least two", list(self.values))


@dataclasses.dataclass(frozen=True)
class Range:
    """A number between two others.

    Attributes:
        low: the least.
        high: the greatest.
        log: its logarithm is drawn evenly, not itself.
        whole: it is a whole number.
    """

    low: float
    high: float
    kind: Literal["range"] = "range"
    log: bool = False
    whole: bool = False

    def __post_init__(self):
        require(self.low < self.high, "high", f"above low, {self.low:g}", self.high)
        require(self.low > 0 or not self.log, "low", "above 0 where `log` is true", self.low)
        for name in ("low", "high"):
            whole = float(getattr(self, name)).is_integer()
            require(whole or not self.whole, name, "a whole number where `whole` is true", getattr(self, name))

    @property
    def ends(self) -> tuple[Any, Any]:
        """Both bounds, as they may be drawn."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


_REPEATED = 100
"""After so many draws of what was drawn before, the space is exhausted."""
Dimension = Choice | Range
Space = Mapping[str, Dimension]


def check_names(space: Space) -> None:
    """Raises `FieldError` for a name that is neither `options.<field>` nor `training.<field>`."""
    for name in space:
        parts = name.split(".")
        good = len(parts) >= 2 and parts[0] in (OPTIONS, TRAINING) and all(parts)
        if not good:
            expected = f"should be {OPTIONS}.<field> or {TRAINING}.<field>. Received: {name!r}"
            raise FieldError(("space", name), expected)


def extremes(dimension: Dimension) -> Sequence[Any]:
    """The values that have to be good for all draws to be: every choice, or both ends."""
    return dimension.values if isinstance(dimension, Choice) else dimension.ends


def draws(space: Space, trials: int, seed: int) -> list[dict[str, Any]]:
    """Settings drawn by keras-tuner's random search, none twice; fewer than `trials` where there are no more.

    Args:
        space: by name.
        trials: how many.
        seed: the same seed gives the same draws, and the first ones of more.
    """
    parameters = keras_tuner.HyperParameters()
    for name, dimension in space.items():
        if isinstance(dimension, Choice):  # keras-tuner's own choices are single numbers and texts.
            parameters.Choice(name, list(range(len(dimension.values))))
            continue
        sampling = "log" if dimension.log else "linear"
        low, high = dimension.ends
        add = parameters.Int if dimension.whole else parameters.Float
        add(name, min_value=low, max_value=high, sampling=sampling)
    # keras-tuner takes the seed 0 for none.
    oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=trials, seed=seed + 1, hyperparameters=parameters)
    found: list[dict[str, Any]] = []
    repeated = 0
    while len(found) < trials and repeated < _REPEATED:
        values = oracle.populate_space(str(len(found)))["values"]
        drawn = {name: _value(space[name], value) for name, value in values.items()}
        repeated = repeated + 1 if drawn in found else 0
        if not repeated:
            found.append(drawn)
    return found


def put(settings: Mapping[str, Any], drawn: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The settings of one part, `options` or `training`, with what was drawn for it; `a.b` is the field b of a."""
    found = dict(settings)
    for name, value in drawn.items():
        head, *path = name.split(".")
        if head != part:
            continue
        below = found
        for field in path[:-1]:
            below[field] = dict(below.get(field) or {})
            below = below[field]
        below[path[-1]] = list(value) if isinstance(value, tuple) else value
    return found


def _value(dimension: Dimension, drawn: Any) -> Any:
    if isinstance(dimension, Choice):
        return dimension.values[drawn]
    return int(drawn) if dimension.whole else float(drawn)
