"""The ids that have been seen, as runs of consecutive ones."""

import numpy as np


class IdSet:
    """A set of int64 numbers to which whole arrays are added.

    It holds the first and the last number of each run of consecutive ones: ids that were counted up take a few bytes,
    however many there are, and n of any kind at most 16 n.
    """

    def __init__(self) -> None:
        self._first = np.empty(0, np.int64)
        self._last = np.empty(0, np.int64)

    def add(self, ids: np.ndarray) -> np.ndarray:
        """Adds the ids; returns which of them were there before, or stand a second time in `ids`; bool `(ids,)`."""
        if not len(ids):
            return np.zeros(0, bool)
        order = np.argsort(ids, kind="stable")
        ascending = ids[order]
        new = np.append(True, ascending[1:] != ascending[:-1])
        unique = ascending[new]
        known = self._holds(unique)
        seen = np.empty(len(ids), bool)
        seen[order] = ~new | known[np.cumsum(new) - 1]
        self._merge(unique[~known])
        return seen

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self._first)

    def _holds(self, ids: np.ndarray) -> np.ndarray:
        if not self.runs:
            return np.zeros(len(ids), bool)
        run = np.searchsorted(self._first, ids, side="right") - 1
        return (run >= 0) & (ids <= self._last[run])

    def _merge(self, ids: np.ndarray) -> None:
        """Adds different ids, ascending, that are not in the set."""
        first = np.concatenate([self._first, ids])
        order = np.argsort(first, kind="stable")  # Two ascending parts, which a stable sort merges.
        first, last = first[order], np.concatenate([self._last, ids])[order]
        begins = np.append(True, first[1:] - 1 != last[:-1])[: len(first)]
        self._first = first[begins]
        self._last = last[np.append(begins[1:], True)[: len(last)]]
