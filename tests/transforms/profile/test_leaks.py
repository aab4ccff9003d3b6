"""Columns that look like leaks."""

import numpy as np
import pytest

from transforms.profile.columns import ColumnProfile
from transforms.profile.leaks import find_leak, label_means, rank_auc

ROWS = 2000
RNG = np.random.default_rng(0)
LABEL = (RNG.random(ROWS) < 0.3).astype(int)


def leak(values):
    profile = ColumnProfile("x", "number", ROWS, 0, 2, (), numbers=values)
    return find_leak(profile, {"y": values}, {"y": LABEL})


def test_auc_above_the_bound():
    found = leak(LABEL + RNG.normal(0, 0.3, ROWS))
    assert (found.column, found.label) == ("x", "y")
    assert "has alone an AUC of 0.9" in found.reason
    assert leak(-(LABEL + RNG.normal(0, 0.3, ROWS))) is not None
    assert leak(LABEL + RNG.normal(0, 1.0, ROWS)) is None


@pytest.mark.parametrize(("share", "is_leak"), [(0.1, False), (0.18, False), (0.4, True)])
def test_ratio_of_values_other_than_0(share, is_leak):
    present = RNG.random(ROWS) < np.where(LABEL == 1, share, 0.1)
    assert (leak(np.where(present, 7.0, 0.0)) is not None) == is_leak


def test_chance_and_columns_that_most_rows_have_are_no_leaks():
    values = np.zeros(ROWS)
    values[np.flatnonzero(LABEL)[:6]] = 1.0
    assert leak(values) is None
    assert leak((RNG.random(ROWS) < np.where(LABEL == 1, 0.95, 0.45)).astype(float)) is None


def test_texts_are_judged_by_rows_that_their_means_do_not_come_from():
    codes = RNG.integers(ROWS, size=ROWS)  # Nearly each row has a text of its own.
    values = label_means(codes, np.zeros(ROWS, bool), LABEL)
    profile = ColumnProfile("x", "text", ROWS, 0, ROWS, ())
    assert find_leak(profile, {"y": values}, {"y": LABEL}) is None
    values = label_means(LABEL * 2 + RNG.integers(2, size=ROWS) * 0, np.zeros(ROWS, bool), LABEL)
    assert find_leak(profile, {"y": values}, {"y": LABEL}) is not None


def test_the_rows_of_which_a_text_has_its_mean_do_not_count():
    """The AUC over all rows is above the bound, that over the other rows is not."""
    codes = RNG.integers(900, size=ROWS)
    likely = RNG.random(900) < 0.5
    label = (RNG.random(ROWS) < np.where(likely[codes], 0.95, 0.05)).astype(int)
    values = label_means(codes, np.zeros(ROWS, bool), label)
    assert rank_auc(label, values) > 0.9 > rank_auc(label[1::2], values[1::2])
    assert find_leak(ColumnProfile("x", "text", ROWS, 0, 900, ()), {"y": values}, {"y": label}) is None


def test_auc_counts_ties_half():
    assert rank_auc(np.array([1, 0, 1, 0]), np.array([3.0, 1.0, 2.0, 2.0])) == 0.875
