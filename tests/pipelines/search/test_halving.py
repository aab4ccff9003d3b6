"""Rungs of successive halving, and the trials that go on."""

import pytest

from pipelines.search.halving import Halving, promoted
from tfmtl.config import FieldError


def sizes(rungs):
    return [(rung.trials, round(rung.rows_fraction, 3), rung.max_epochs) for rung in rungs]


@pytest.mark.parametrize(
    ("halving", "trials", "expected"),
    [
        (Halving(), 12, [(12, 0.1, 4), (4, 1, None)]),
        (Halving(), 27, [(27, 0.1, 4), (9, 0.316, 4), (3, 1, None)]),
        (Halving(), 19, [(19, 0.1, 4), (7, 0.316, 4), (3, 1, None)]),
        (Halving(), 18, [(18, 0.1, 4), (6, 1, None)]),
        (Halving(), 7, [(7, 0.1, 4), (3, 1, None)]),
        (Halving(), 6, [(6, 1, None)]),
        (Halving(), 1, [(1, 1, None)]),
        (Halving(2, 4, 0.125, None), 24, [(24, 0.125, None), (12, 0.25, None), (6, 0.5, None), (3, 1, None)]),
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


@pytest.mark.parametrize(("name", "value"), [("eta", 1), ("rungs", 0), ("first_fraction", 1.0), ("max_epochs", 0)])
def test_rejects_invalid_options(name, value):
    with pytest.raises(FieldError, match=f"{name}: should be .*Received: {value}"):
        Halving(**{name: value})
