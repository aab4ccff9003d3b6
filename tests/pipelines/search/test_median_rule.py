"""Median rule: values by hand, and no threshold before there are enough trials."""

import pytest

from pipelines.search.median_rule import MIN_TRIALS, median_thresholds

HISTORIES = [[0.5, 0.6, 0.7], [0.4, 0.8], [0.6, 0.5], [0.9, 0.8, 0.95], [0.1, 0.2, 0.3]]


def test_threshold_is_the_median_of_the_best_values_so_far():
    assert median_thresholds(HISTORIES, 4) == [None, 0.6, 0.7, 0.7]


def test_first_epoch_stops_no_trial():
    assert median_thresholds([[value] for value in (1.0, 2.0, 3.0, 4.0, 5.0)], 2) == [None, 3.0]


@pytest.mark.parametrize("count", range(MIN_TRIALS))
def test_few_trials_have_no_thresholds(count):
    assert median_thresholds(HISTORIES[:count], 2) == [None, None]
