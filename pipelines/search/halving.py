"""Successive halving (Jamieson and Talwalkar, 2016): many settings are tried cheaply, and the best ones on more rows.

The first rung tries all settings on a share of the training rows. The best of each rung go on to the next one, with
more rows, and the last rung uses all of them.
"""

import dataclasses
import math
from collections.abc import Sequence

from tfmtl.config import require

_LAST_TRIALS = 3
"""Smallest number of settings of the last rung: those as they are and two others, as few rows rank them roughly."""


@dataclasses.dataclass(frozen=True)
class Rung:
    """Trials of one fidelity.

    Attributes:
        trials: Number of settings.
        rows_fraction: Share of the training rows.
        max_epochs: Maximum number of epochs, if it is smaller than that of the training settings; None for no other.
    """

    trials: int
    rows_fraction: float
    max_epochs: int | None


@dataclasses.dataclass(frozen=True)
class Halving:
    """Options of successive halving.

    Attributes:
        eta: Factor by which the number of settings decreases from rung to rung.
        rungs: Maximum number of rungs. There are fewer if the last one would have fewer than 3 settings.
        first_fraction: Share of the training rows of the first rung; the shares of the next ones increase by a constant
            factor, up to 1.
        max_epochs: Maximum number of epochs of the rungs below the last one; null for that of the training settings.

    Example:
        >>> from pipelines.search.halving import Halving
        >>> [(rung.trials, round(rung.rows_fraction, 2)) for rung in Halving().schedule(trials=12)]
        [(12, 0.1), (4, 1.0)]
        >>> [(rung.trials, round(rung.rows_fraction, 2)) for rung in Halving().schedule(trials=27)]
        [(27, 0.1), (9, 0.32), (3, 1.0)]
    """

    eta: int = 3
    rungs: int = 3
    first_fraction: float = 0.1
    max_epochs: int | None = 4

    def __post_init__(self) -> None:
        require(self.eta >= 2, "eta", "at least 2", self.eta)
        require(self.rungs >= 1, "rungs", "at least 1", self.rungs)
        require(0 < self.first_fraction < 1, "first_fraction", "between 0 and 1", self.first_fraction)
        is_valid = self.max_epochs is None or self.max_epochs >= 1
        require(is_valid, "max_epochs", "at least 1, or null", self.max_epochs)

    def schedule(self, trials: int) -> list[Rung]:
        """Returns the rungs of a search, from the cheapest one to that with all rows.

        Args:
            trials: Number of settings, at least 1.
        """
        sizes = [trials]
        while len(sizes) < self.rungs and (size := math.ceil(trials / self.eta ** len(sizes))) >= _LAST_TRIALS:
            sizes.append(size)
        last = len(sizes) - 1
        return [
            Rung(size, self.first_fraction ** (1 - i / last), self.max_epochs) if i < last else Rung(size, 1.0, None)
            for i, size in enumerate(sizes)
        ]


def promoted(scores: Sequence[float | None], count: int) -> list[int]:
    """Returns the indices of the trials that go on to the next rung, in ascending order.

    The first trial goes on unless it failed: it has the settings as they are, which the last rung compares with the
    others on all rows. The other places are for the best of the others, the earlier one of equal ones. If all failed,
    the first trials go on, as a failure may be due to the few rows.

    Args:
        scores: Scores of the trials, higher is better; None for one that failed.
        count: Number of trials that go on, fewer if fewer have not failed.

    Example:
        >>> from pipelines.search.halving import promoted
        >>> promoted([0.5, 0.7, None, 0.6], count=2)
        [0, 1]
    """
    finished = {i: score for i, score in enumerate(scores) if score is not None}
    if not finished:
        return list(range(min(count, len(scores))))
    best = sorted(finished, key=lambda i: (i != 0, -finished[i], i))
    return sorted(best[:count])
