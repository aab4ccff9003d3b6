"""IdSet against Python's set, in all orders of ids."""

import numpy as np
import pytest

from transforms.ali_ccp.id_set import IdSet

LEAST, MOST = -(2**63), 2**63 - 1


def plain(batches):
    """What `add` should return for each batch."""
    seen, found = set(), []
    for batch in batches:
        marks = []
        for number in batch:
            marks.append(number in seen)
            seen.add(number)
        found.append(marks)
    return found


def added(ids, batches):
    return [ids.add(np.array(batch, np.int64)).tolist() for batch in batches]


@pytest.mark.parametrize(
    "batches",
    [
        [[1, 2, 3], [4, 5], [3, 6, 6], []],
        [[5, 4, 3, 2, 1], [3], [0, 6], [0, 6]],
        [[10, 30, 20], [11, 29, 31, 9, 19], [20, 21, 22, 23]],
        [[7, 7, 7], [7]],
        [[], [MOST, LEAST, 0], [LEAST + 1, MOST - 1, MOST, -1], [LEAST, 1, MOST]],
    ],
)
def test_a_number_is_seen_the_second_time(batches):
    assert added(IdSet(), batches) == plain(batches)


@pytest.mark.parametrize("spread", [30, 300, 10**6])
def test_random_numbers(spread):
    rng = np.random.default_rng(spread)
    batches = [rng.integers(-spread, spread, rng.integers(0, 50)).tolist() for _ in range(60)]
    assert added(IdSet(), batches) == plain(batches)


def test_consecutive_ids_take_one_run_whatever_their_order():
    order = np.random.default_rng(0).permutation(10_000)
    ids = IdSet()
    for part in np.array_split(order, 37):
        assert not ids.add(part).any()
    assert ids.runs == 1
    assert ids.add(order).all()
    assert not ids.add(np.array([10_001])).any()
    assert ids.runs == 2
