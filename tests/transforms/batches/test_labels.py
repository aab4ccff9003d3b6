"""Binary labels as numbers, booleans and texts, with and without given positive values."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.batches.labels import missing_labels, parse_labels

ZERO_OR_ONE = [
    (pa.array(["0", "1", "0.0", "1.0"]), [0, 1, 0, 1]),
    (pa.array(["0", " 1", "1.00", "TRUE", "False ", "1e0"]), [0, 1, 1, 1, 0, 1]),
    (pa.array([0.0, 1.0]), [0, 1]),
    (pa.array([True, False]), [1, 0]),
    (pa.array([1, 0], pa.int8()), [1, 0]),
]


@pytest.mark.parametrize(("column", "labels"), ZERO_OR_ONE)
def test_zero_and_one(column, labels):
    parsed, invalid = parse_labels(column)
    assert parsed.tolist() == labels
    assert not invalid.any()


def test_other_values_are_invalid():
    for column in (pa.array(["2", "yes", "-1", "10", "1 0", None]), pa.array([2.0, -1.0, 0.5, np.nan])):
        assert parse_labels(column)[1].all()


def test_missing_labels():
    assert missing_labels(pa.array(["0", None, "", "  ", "nan", "NaN ", "none"])).tolist() == [
        False,
        *[True] * 5,
        False,
    ]
    assert missing_labels(pa.array([0.0, float("nan"), None])).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("column", "positive", "labels"),
    [
        (pa.array([" - 50000.", " 50000+."]), ["50000+."], [0, 1]),
        (pa.array(["buy", "view", "cart"]), ["buy", "cart"], [1, 0, 1]),
        (pa.array(["3", "4", "5.0", " 4.50 "]), [">= 4"], [0, 1, 1, 1]),
        (pa.array([3, 4, 5]), [">=4"], [0, 1, 1]),
        (pa.array([3.5, 4.0, 5.0]), ["5", "< 4"], [1, 0, 1]),
        (pa.array(["4", "5.0", "05"]), ["5"], [0, 1, 1]),
        (pa.array([4, 5]), ["5.0"], [0, 1]),
        (pa.array([True, False]), ["false"], [0, 1]),
        (pa.array(["5", "3"]), ["> 3.5"], [1, 0]),
        (pa.array([3, 2]), ["<= 2"], [0, 1]),
    ],
)
def test_positive_values(column, positive, labels):
    parsed, invalid = parse_labels(column, positive)
    assert parsed.tolist() == labels
    assert not invalid.any()


def test_a_comparison_needs_numbers():
    parsed, invalid = parse_labels(pa.array(["5", "five", None]), [">= 4"])
    assert parsed.tolist() == [1, 0, 0]
    assert invalid.tolist() == [False, True, True]
