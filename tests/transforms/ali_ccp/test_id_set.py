"""IdSet: equal to Python's set, in any order of ids."""

import numpy as np
import pytest

from transforms.ali_ccp.id_set import IdSet

LEAST, MOST = -(2**63), 2**63 - 1


def plain(batches):
    """Returns the expected result of `add` for each batch."""
    seen, masks = set(), []
    for batch in batches:
        mask = []
        for number in batch:
            mask.append(number in seen)
            seen.add(number)
        masks.append(mask)
    return masks


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
def test_marks_repeated_ids(batches):
    assert added(IdSet(), batches) == plain(batches)


@pytest.mark.parametrize("spread", [30, 300, 10**6])
def test_random_ids(spread):
    rng = np.random.default_rng(spread)
    batches = [rng.integers(-spread, spread, rng.integers(0, 50)).tolist() for _ in range(60)]
    assert added(IdSet(), batches) == plain(batches)


def test_consecutive_ids_form_one_run_in_any_order():
    order = np.random.default_rng(0).permutation(10_000)
    ids = IdSet()
    for part in np.array_split(order, 37):
        assert not ids.add(part).any()
    assert ids.runs == 1
    assert ids.add(order).all()
    assert not ids.add(np.array([10_001])).any()
    assert ids.runs == 2
