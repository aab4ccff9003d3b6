"""Attribution against plain Python."""

import numpy as np
import pytest

from transforms.join.attribution import (
    AFTER_WINDOW,
    ATTRIBUTED,
    BEFORE_CAUSE,
    NO_CAUSE,
    Moments,
    attribute,
    first_occurrences,
)


def moments(random, count, keys=8, times=40):
    return Moments(random.integers(0, keys, count), random.integers(0, times, count))


def attributed_in_python(causes, events, window):
    found = []
    for key, time in zip(events.keys, events.times, strict=True):
        same = [i for i in range(len(causes.keys)) if causes.keys[i] == key]
        earlier = [i for i in same if causes.times[i] <= time]
        last = max(earlier, key=lambda i: (causes.times[i], i), default=None)
        if not same:
            found.append((-1, NO_CAUSE))
        elif last is None:
            found.append((-1, BEFORE_CAUSE))
        elif time - causes.times[last] > window:
            found.append((-1, AFTER_WINDOW))
        else:
            found.append((last, ATTRIBUTED))
    return found


@pytest.mark.parametrize(("causes", "events"), [(60, 90), (1, 5), (200, 3), (0, 4), (4, 0), (0, 0)])
def test_equals_plain_python(causes, events):
    for seed in range(20):
        random = np.random.default_rng(seed)
        first, second = moments(random, causes), moments(random, events, keys=10)
        found = attribute(first, second, window=9)
        pairs = list(zip(found.causes.tolist(), found.outcomes.tolist(), strict=True))
        assert pairs == attributed_in_python(first, second, 9)
        assert found.attributed.tolist() == [i for i, (cause, _) in enumerate(pairs) if cause >= 0]


def test_all_outcomes_occur():
    random = np.random.default_rng(0)
    found = attribute(moments(random, 60), moments(random, 200, keys=10), window=9)
    assert set(found.outcomes.tolist()) == {ATTRIBUTED, NO_CAUSE, BEFORE_CAUSE, AFTER_WINDOW}


def test_the_window_includes_its_end():
    cause = Moments(np.array([1]), np.array([100]))
    found = attribute(cause, Moments(np.array([1, 1, 1, 1]), np.array([99, 100, 150, 151])), window=50)
    assert found.causes.tolist() == [-1, 0, 0, -1]


def test_first_occurrences():
    keys, times = np.array([3, 1, 3, 3, 1]), np.array([5, 5, 5, 6, 5])
    assert first_occurrences(Moments(keys, times)).tolist() == [True, True, False, True, False]
    assert first_occurrences(Moments(keys[:0], times[:0])).tolist() == []
