"""Attribution of events to the last earlier cause with the same key, within a window of time."""

import dataclasses

import numpy as np

ATTRIBUTED, NO_CAUSE, BEFORE_CAUSE, AFTER_WINDOW = range(4)
"""Outcome of an event: it has a cause; no cause has its key; all causes with its key are later; the last one is older
than the window."""


@dataclasses.dataclass(frozen=True)
class Moments:
    """Keys and times of events.

    Attributes:
        keys: Number of each event's key, int64 `(events,)`.
        times: Microseconds since 1970, int64 `(events,)`.
    """

    keys: np.ndarray
    times: np.ndarray

    def take(self, rows: np.ndarray) -> "Moments":
        """Returns some of the events.

        Args:
            rows: Indices of the events.
        """
        return Moments(self.keys[rows], self.times[rows])


@dataclasses.dataclass(frozen=True)
class Attribution:
    """Causes of events.

    Attributes:
        causes: Index of each event's cause, -1 without one; int64 `(events,)`.
        outcomes: `ATTRIBUTED`, `NO_CAUSE`, `BEFORE_CAUSE` or `AFTER_WINDOW`; int8 `(events,)`.
    """

    causes: np.ndarray
    outcomes: np.ndarray

    @property
    def attributed(self) -> np.ndarray:
        """Indices of the events that have a cause."""
        return np.flatnonzero(self.outcomes == ATTRIBUTED)


def attribute(causes: Moments, events: Moments, window: int) -> Attribution:
    """Attributes each event to the last cause with its key that is not later.

    An event at the time of a cause belongs to it. Of several causes with the same key and time, the last one counts.

    Args:
        causes: Possible causes.
        events: Events.
        window: Longest time from a cause to an event, in microseconds.

    Returns:
        Causes of the events.

    Example:
        >>> import numpy as np
        >>> from transforms.join.attribution import Moments, attribute
        >>> impressions = Moments(np.array([7, 7, 8]), np.array([10, 20, 30]))
        >>> clicks = Moments(np.array([7, 7, 8, 9]), np.array([15, 90, 29, 40]))
        >>> attribute(impressions, clicks, window=50).causes.tolist()
        [0, -1, -1, -1]
    """
    found = _last_not_later(causes, events)
    has_key = np.isin(events.keys, causes.keys)
    is_found = found >= 0
    is_late = np.zeros(len(found), bool)
    is_late[is_found] = events.times[is_found] - causes.times[found[is_found]] > window
    outcomes = np.select([~has_key, ~is_found, is_late], [NO_CAUSE, BEFORE_CAUSE, AFTER_WINDOW], ATTRIBUTED)
    return Attribution(np.where(outcomes == ATTRIBUTED, found, -1), outcomes.astype(np.int8))


def first_occurrences(moments: Moments) -> np.ndarray:
    """Returns the mask of the events before which no other one has the same key and time, bool `(events,)`."""
    order = np.lexsort((moments.times, moments.keys))  # It is stable: the first one of equals stays the first one.
    keys, times = moments.keys[order], moments.times[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (keys[1:] != keys[:-1]) | (times[1:] != times[:-1])
    mask = np.empty(len(order), bool)
    mask[order] = is_new
    return mask


def last_of_keys(moments: Moments) -> np.ndarray:
    """Returns the mask of the events after which no other one has the same key, bool `(events,)`.

    Of the causes with one key, only the last one can be that of an event which is later than all of them.
    """
    order = np.lexsort((moments.times, moments.keys))
    is_last = np.ones(len(order), bool)
    is_last[:-1] = moments.keys[order][1:] != moments.keys[order][:-1]
    mask = np.empty(len(order), bool)
    mask[order] = is_last
    return mask


def _last_not_later(causes: Moments, events: Moments) -> np.ndarray:
    """Returns the index of the last cause with the key of each event that is not later; -1 if there is none."""
    count = len(causes.keys)
    keys = np.concatenate([causes.keys, events.keys])
    times = np.concatenate([causes.times, events.times])
    is_event = np.arange(len(keys)) >= count
    order = np.lexsort((is_event, times, keys))
    place = np.arange(len(order))
    last_place = np.maximum.accumulate(np.where(is_event[order], -1, place))
    rows = np.flatnonzero(is_event[order])
    last = np.where(last_place[rows] >= 0, order[last_place[rows]], -1)
    has_same_key = (last >= 0) & (keys[last] == keys[order[rows]])
    found = np.empty(len(events.keys), np.int64)
    found[order[rows] - count] = np.where(has_same_key, last, -1)
    return found
