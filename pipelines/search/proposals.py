"""Proposals of the next trial's hyper-parameters by keras-tuner's oracles.

A proposal depends on the space, the seed and the trials so far, and on nothing else: an interrupted search continues
with the proposals that it would have made. keras-tuner's own search does not, as it does not store the state of its
random numbers. It also leaves failed trials out of its model, and would propose their region again.
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tfmtl.search_space import Choice, Dimension, Space, holds

if TYPE_CHECKING:
    import keras_tuner

Method = Literal["bayesian", "random"]
"""Method of proposals: Bayesian optimization with a Gaussian process, or independent random draws."""

_MAX_REPETITIONS = 100
"""Number of consecutive draws of known settings after which the space is considered exhausted."""
_ATTEMPTS = 3
"""Number of optimizations of the acquisition function that may return known settings before a random draw is taken."""
_BETA = 1.0
"""Weight of the uncertainty in the upper confidence bound; keras-tuner's default of 2.6 explores the corners first."""


@dataclasses.dataclass(frozen=True)
class Tried:
    """Hyper-parameters that a trial has tried.

    Attributes:
        values: Values by name.
        score: Score of the trial, higher is better; None if it failed.
    """

    values: Mapping[str, Any]
    score: float | None


def propose(space: Space, tried: Sequence[Tried], seed: int, method: Method) -> dict[str, Any] | None:
    """Proposes hyper-parameters for the next trial.

    The first `initial_trials(space)` proposals of Bayesian optimization are those of a random search.

    Args:
        space: Hyper-parameters by name.
        tried: Trials so far, in their order.
        seed: Seed of the search.
        method: Search method.

    Returns:
        Values by name, which no trial has tried; None if the space has no others.
    """
    known = [_comparable(one.values) for one in tried]
    inside = [one for one in tried if _is_inside(space, one.values)]
    if method == "bayesian" and len(tried) >= initial_trials(space) and any(one.score is not None for one in inside):
        for attempt in range(_ATTEMPTS):
            values = _optimize(space, inside, seed + len(tried) + 10_000 * attempt)
            if _comparable(values) not in known:
                return values
    drawn = draw_settings(space, len(tried) + 1, seed)
    return next((values for values in drawn if _comparable(values) not in known), None)


def draw_others(space: Space, given: Mapping[str, Any], count: int, seed: int) -> list[dict[str, Any]]:
    """Draws different settings with random search that are not those as they are.

    Args:
        space: Hyper-parameters by name.
        given: Values of the settings as they are.
        count: Number of settings.
        seed: Seed of the draws; more settings with the same seed begin with the same ones.

    Returns:
        Values by name for each setting; fewer than `count` if the space has fewer.
    """
    drawn = draw_settings(space, count + 1, seed)
    return [values for values in drawn if _comparable(values) != _comparable(given)][:count]


def initial_trials(space: Space) -> int:
    """Returns the number of random trials before Bayesian optimization begins.

    Args:
        space: Hyper-parameters by name.
    """
    return max(4, len(space) + 1)


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

    # For keras-tuner, the seed 0 is no seed.
    oracle = keras_tuner.oracles.RandomSearchOracle(
        max_trials=trials, seed=seed + 1, hyperparameters=_hyperparameters(space)
    )
    settings: list[dict[str, Any]] = []
    repetitions = 0
    while len(settings) < trials and repetitions < _MAX_REPETITIONS:
        drawn = _decode(space, oracle.populate_space(str(len(settings)))["values"])
        repetitions = repetitions + 1 if drawn in settings else 0
        if not repetitions:
            settings.append(drawn)
    return settings


def _optimize(space: Space, tried: Sequence[Tried], seed: int) -> dict[str, Any]:
    """Returns the maximum of the upper confidence bound of a Gaussian process that is fitted to the trials."""
    import keras_tuner
    from keras_tuner.engine.trial import Trial

    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=keras_tuner.Objective("score", "max"),
        num_initial_points=1,  # `propose` decides when the random trials end.
        beta=_BETA,
        seed=seed + 1,
        hyperparameters=_hyperparameters(space),
    )
    for number, (one, score) in enumerate(zip(tried, _model_scores(tried), strict=True)):
        parameters = oracle.get_space()
        parameters.values = {name: _encode(dimension, one.values[name]) for name, dimension in space.items()}
        trial = Trial(parameters, trial_id=str(number), status="COMPLETED")
        trial.score = score
        oracle.trials[trial.trial_id] = trial
    return _decode(space, oracle.populate_space(str(len(tried)))["values"])


def _model_scores(tried: Sequence[Tried]) -> list[float]:
    """Returns scores to which a smooth model can be fitted.

    Scores that are far below the median are raised, and failed trials have the worst score, so that their region is
    avoided.
    """
    scores = [one.score for one in tried if one.score is not None]
    middle = statistics.median(scores)
    floor = max(min(scores), middle - 3 * (max(scores) - middle))
    return [floor if one.score is None else max(one.score, floor) for one in tried]


def _hyperparameters(space: Space) -> "keras_tuner.HyperParameters":
    import keras_tuner

    parameters = keras_tuner.HyperParameters()
    for name, dimension in space.items():
        if isinstance(dimension, Choice):  # Choices of keras-tuner are numbers and strings, so an index is drawn.
            parameters.Choice(name, list(range(len(dimension.values))))
            continue
        sampling = "log" if dimension.log else "linear"
        low, high = dimension.bounds
        add = parameters.Int if dimension.whole else parameters.Float
        add(name, min_value=low, max_value=high, sampling=sampling)
    return parameters


def _decode(space: Space, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of settings for values of keras-tuner."""
    decoded = {}
    for name, value in drawn.items():
        dimension = space[name]
        decoded[name] = dimension.values[value] if isinstance(dimension, Choice) else dimension.rounded(value)
    return decoded


def _encode(dimension: Dimension, value: Any) -> Any:
    """Returns the value of keras-tuner for a value of settings."""
    if not isinstance(dimension, Choice):
        return value
    return next(index for index, one in enumerate(dimension.values) if _plain(one) == _plain(value))


def _is_inside(space: Space, values: Mapping[str, Any]) -> bool:
    return all(name in values and holds(dimension, values[name]) for name, dimension in space.items())


def _comparable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
