"""Rungs of successive halving, and the trials that go on."""

import pytest

from pipelines.search.halving import Halving, promoted
from tfmtl.config import FieldError


def sizes(rungs):
    return [(rung.trials, round(1 / rung.rows_fraction), rung.max_epochs) for rung in rungs]


@pytest.mark.parametrize(
    ("halving", "trials", "expected"),
    [
        (Halving(), 12, [(12, 9, 4), (4, 3, 4), (2, 1, None)]),
        (Halving(), 27, [(27, 9, 4), (9, 3, 4), (3, 1, None)]),
        (Halving(), 9, [(9, 9, 4), (3, 3, 4), (2, 1, None)]),
        (Halving(), 8, [(8, 3, 4), (3, 1, None)]),
        (Halving(), 2, [(2, 1, None)]),
        (Halving(), 1, [(1, 1, None)]),
        (Halving(eta=2, rungs=4, max_epochs=None), 16, [(16, 8, None), (8, 4, None), (4, 2, None), (2, 1, None)]),
        (Halving(rungs=1), 12, [(12, 1, None)]),
    ],
)
def test_each_rung_has_fewer_trials_and_more_rows(halving, trials, expected):
    rungs = halving.schedule(trials)
    assert sizes(rungs) == expected
    assert (rungs[-1].rows_fraction, rungs[-1].max_epochs) == (1.0, None), "the last rung is a whole training"


@pytest.mark.parametrize(
    ("scores", "count", "expected"),
    [
        ([0.1, 0.9, 0.5, 0.7], 3, [0, 1, 3]),
        ([0.1, 0.5, 0.5, 0.5], 2, [0, 1]),
        ([0.1, None, None, 0.2], 3, [0, 3]),
        ([None, 0.3, 0.2, 0.1], 2, [1, 2]),
        ([None, None, None], 2, [0, 1]),
        ([0.3], 2, [0]),
    ],
)
def test_the_first_trial_and_the_best_others_go_on(scores, count, expected):
    assert promoted(scores, count) == expected


@pytest.mark.parametrize(("name", "value"), [("eta", 1), ("rungs", 0), ("max_epochs", 0)])
def test_rejects_invalid_options(name, value):
    with pytest.raises(FieldError, match=f"{name}: should be at least .*Received: {value}"):
        Halving(**{name: value})
