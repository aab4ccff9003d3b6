"""Median rule: a trial stops early if it is worse than half of the trials before it were at the same epoch."""

import statistics
from collections.abc import Sequence

MIN_TRIALS = 5
"""Number of finished trials before the rule is applied."""
_FIRST_EPOCH = 2
"""First epoch after which a trial may be stopped."""


def median_thresholds(histories: Sequence[Sequence[float]], epochs: int) -> list[float | None]:
    """Returns the value that the best epoch of a trial so far should reach, for each number of epochs.

    A trial that ended after fewer epochs counts with its best epoch. A running mean, as in Google Vizier, is not used:
    training keeps the weights of the best epoch.

    Args:
        histories: Values of the objective by epoch, higher is better, of the trials that were not stopped.
        epochs: Maximum number of epochs.

    Returns:
        A threshold for each epoch; None where a trial is not stopped.

    Example:
        >>> from pipelines.search.median_rule import median_thresholds
        >>> median_thresholds([[0.5, 0.6], [0.5, 0.7], [0.5], [0.9, 0.8], [0.4, 0.3]], 3)
        [None, 0.6, 0.6]
    """
    if len(histories) < MIN_TRIALS:
        return [None] * epochs
    medians = [statistics.median(max(values[:epoch]) for values in histories) for epoch in range(1, epochs + 1)]
    return [None if epoch < _FIRST_EPOCH else median for epoch, median in enumerate(medians, 1)]
