"""Set of integer ids, stored as runs of consecutive ids."""

import numpy as np


class IdSet:
    """Set of int64 ids to which arrays of ids are added.

    The set stores the first and the last id of each run of consecutive ids, 16 bytes per run. Ids that were counted up
    form few runs, whatever their number.
    """

    def __init__(self) -> None:
        self._first = np.empty(0, np.int64)
        self._last = np.empty(0, np.int64)

    def add(self, ids: np.ndarray) -> np.ndarray:
        """Adds ids.

        Args:
            ids: Ids, int64, shape `(ids,)`.

        Returns:
            The mask of the ids that were in the set before or occur earlier in `ids`, bool, shape `(ids,)`.
        """
        if not len(ids):
            return np.zeros(0, bool)
        order = np.argsort(ids, kind="stable")
        ascending = ids[order]
        is_first = np.append(True, ascending[1:] != ascending[:-1])
        unique = ascending[is_first]
        known = self._contains(unique)
        seen = np.empty(len(ids), bool)
        seen[order] = ~is_first | known[np.cumsum(is_first) - 1]
        self._merge(unique[~known])
        return seen

    @property
    def runs(self) -> int:
        """Number of runs of consecutive ids."""
        return len(self._first)

    def _contains(self, ids: np.ndarray) -> np.ndarray:
        if not self.runs:
            return np.zeros(len(ids), bool)
        run = np.searchsorted(self._first, ids, side="right") - 1
        contained: np.ndarray = (run >= 0) & (ids <= self._last[run])
        return contained

    def _merge(self, ids: np.ndarray) -> None:
        """Adds ascending, unique ids that are not in the set."""
        first = np.concatenate([self._first, ids])
        order = np.argsort(first, kind="stable")  # A stable sort merges the two ascending parts.
        first, last = first[order], np.concatenate([self._last, ids])[order]
        begins_run = np.append(True, first[1:] - 1 != last[:-1])[: len(first)]
        self._first = first[begins_run]
        self._last = last[np.append(begins_run[1:], True)[: len(last)]]
