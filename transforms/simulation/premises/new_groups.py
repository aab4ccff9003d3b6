"""Groups that occur in the test split only."""

import numpy as np

from transforms.simulation.draws import Draws, pick


class NewGroups:
    """Draws the group of each row: from all groups in the test split, and from those that are not new before it.

    Args:
        seed: Seed of the simulated world.
        share: Share of the groups that are new.
        frequencies: Share of the rows of each group in the test split, `(groups,)`.

    Attributes:
        is_new: Mask of the new groups, `(groups,)`.
    """

    def __init__(self, seed: int, share: float, frequencies: np.ndarray):
        count = len(frequencies)
        order = np.argsort(Draws(seed, "premise", 0, count).uniform("new_groups")[:, 0])
        self.is_new = np.zeros(count, bool)
        self.is_new[order[: round(share * count)]] = True
        known = np.where(self.is_new, 0.0, frequencies)
        self._cumulative_known = np.cumsum(known / known.sum())
        self._cumulative_all = np.cumsum(frequencies)
        self._last_known = int(np.flatnonzero(~self.is_new)[-1])

    def pick(self, uniform: np.ndarray, in_test: np.ndarray) -> np.ndarray:
        """Returns the group of each row, int64 `(rows,)`.

        Args:
            uniform: Uniform numbers in [0, 1), `(rows,)`.
            in_test: Mask of the rows of the test split, `(rows,)`.
        """
        known = np.minimum(pick(self._cumulative_known, uniform), self._last_known)
        groups: np.ndarray = np.where(in_test, pick(self._cumulative_all, uniform), known)
        return groups
