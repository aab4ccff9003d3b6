"""Splits by time of columns of any type: the same moments give the same split."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from tfmtl.splits import TimeSplit
from transforms.batches.errors import ColumnTypeError
from transforms.validation.split_times import comparable_times

ZONE = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
MOMENTS = [
    datetime.datetime(2026, 11, 9, 23, 59, 59, tzinfo=datetime.UTC),
    datetime.datetime(2026, 11, 10, tzinfo=datetime.UTC),
    datetime.datetime(2026, 11, 19, 23, 30, tzinfo=datetime.UTC),
    datetime.datetime(2026, 11, 20, 0, 30, tzinfo=datetime.UTC),
]
SPLITS = [0, 1, 1, 2]
SECONDS = [int(moment.timestamp()) for moment in MOMENTS]
COLUMNS = {
    "iso": pa.array([moment.isoformat() for moment in MOMENTS]),
    "naive": pa.array([f"{moment:%Y-%m-%d %H:%M:%S}" for moment in MOMENTS]),
    "unpadded": pa.array([f"{m.year}/{m.month}/{m.day} {m.hour}:{m.minute:02}:{m.second:02}" for m in MOMENTS]),
    "zone": pa.array([moment.astimezone(ZONE).isoformat() for moment in MOMENTS]),
    "compact": pa.array([f"{moment:%Y%m%dT%H%M%S}Z" for moment in MOMENTS]),
    "seconds": pa.array(SECONDS),
    "float seconds": pa.array([second + 0.5 for second in SECONDS]),
    "text of seconds": pa.array([str(second) for second in SECONDS]),
    "milliseconds": pa.array([second * 1000 for second in SECONDS]),
    "timestamp": pa.array(MOMENTS, pa.timestamp("ms", "Asia/Kolkata")),
    "naive timestamp": pa.array([moment.replace(tzinfo=None) for moment in MOMENTS], pa.timestamp("s")),
}


def splits_of(column, *bounds):
    times = comparable_times(column, TimeSplit("day", *bounds))
    assert not times.invalid.any()
    return (times.from_eval.astype(int) + times.from_test).tolist()


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(
    "bounds",
    [
        ("2026-11-10", "2026-11-20"),
        ("2026-11-10T05:30:00+05:30", "2026-11-20 05:30+05:30"),
        ("20261110", "2026/11/20 00:00:00"),
    ],
)
def test_spellings_of_moments(name, bounds):
    assert splits_of(COLUMNS[name], *bounds) == SPLITS


@pytest.mark.parametrize("name", ["seconds", "text of seconds", "iso", "zone", "timestamp", "naive timestamp"])
def test_bounds_in_seconds(name):
    bounds = [int(datetime.datetime(2026, 11, day, tzinfo=datetime.UTC).timestamp()) for day in (10, 20)]
    assert splits_of(COLUMNS[name], *bounds) == SPLITS


def test_dates():
    column = pa.array([datetime.date(2026, 11, day) for day in (9, 10, 19, 20)])
    assert splits_of(column, "2026-11-10", "2026-11-20") == SPLITS
    assert (
        splits_of(pa.array(["2026-11-9", "2026-11-10", "20261119", "2026/11/20"]), "2026-11-10", "2026-11-20") == SPLITS
    )
    assert splits_of(pa.array([20261109, 20261110, 20261119, 20261120]), 20261110, 20261120) == SPLITS


def test_numbers_and_other_strings():
    assert splits_of(pa.array(["9", "10", "11.5", " 20"]), 10, 20) == SPLITS
    assert splits_of(pa.array([9.0, 10.0, 19.9, 20.0]), 10, 20) == SPLITS
    assert splits_of(pa.array(["week-06", "week-07", "week-08", "week-09"]), "week-07", "week-09") == SPLITS


def test_values_that_are_no_times_are_invalid():
    times = comparable_times(pa.array(["2026-11-09", "11/10/2026", None]), TimeSplit("day", "2026-11-10", "2026-11-20"))
    assert times.invalid.tolist() == [False, True, True]
    assert times.expected.startswith("a time, such as 2026-11-18")
    times = comparable_times(pa.array(["5", "x", None]), TimeSplit("day", 3, 9))
    assert (times.invalid.tolist(), times.expected) == ([False, True, True], "a number")
    times = comparable_times(pa.array([5.0, np.nan]), TimeSplit("day", 3, 9))
    assert times.invalid.tolist() == [False, True]


def test_dates_need_bounds_that_are_times():
    with pytest.raises(
        ColumnTypeError, match=r"bounds of the split should be dates or timestamps.* Received: 'week-07'"
    ):
        comparable_times(pa.array([datetime.date(2026, 11, 9)]), TimeSplit("day", "week-07", "week-09"))


@pytest.mark.parametrize(
    ("eval_from", "test_from"),
    [("2026-11-9", "2026-11-10"), ("2026-11-10T01:00+02:00", "2026-11-10T00:30Z"), ("a", "b")],
)
def test_bounds_are_ordered_as_moments(eval_from, test_from):
    TimeSplit("day", eval_from, test_from)
    with pytest.raises(ValueError, match="test_from: should be after eval_from"):
        TimeSplit("day", test_from, eval_from)
