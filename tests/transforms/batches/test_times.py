"""Columns of times against the parser of single times, and against Python's datetime."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from tfmtl.times import parse_time
from transforms.batches.times import parse_times

MOMENT = datetime.datetime(2026, 11, 8, 9, 5, 7, 250_000, datetime.UTC)
MICROSECONDS = int(MOMENT.timestamp() * 1_000_000)
SAME = [
    "2026-11-08T09:05:07.25Z",
    "2026-11-08 09:05:07.250",
    "2026-11-8 9:05:07.25",
    "2026/11/08 09:05:07.25 UTC",
    "2026.11.08 09:05:07,25",
    "2026-11-08T10:05:07.25+01:00",
    "2026-11-08T14:35:07.250000+0530",
    "2026-11-07 23:05:07.25-10",
    "20261108T090507.25",
    "1794128707250",
    "1794128707.25",
    "1794128707250000",
    "1794128707250000000",
    "  2026-11-08 09:05:07.25  ",
]
INVALID = [
    "", "x", "2026", "2026-13-01", "2026-02-29", "2026-11-31", "2026-11-08 24:00", "2026-11-08 10:60", "11/08/2026",
    "08.11.2026", "20261131", "2026-11-08 10", "20261108250000", "1234567", "123456789012345", "20261108.5", "nan",
    "0000-01-01", "2026-11-08 09:05 CET",
]  # fmt: skip
MIDNIGHT = ["2026-11-08", "2026/11/8", "20261108", "2026-11-08 00:00", "202611080000", "20261108000000"]


@pytest.mark.parametrize("text", SAME)
def test_spellings_of_one_moment(text):
    assert parse_time(text) == MICROSECONDS


@pytest.mark.parametrize("text", MIDNIGHT)
def test_spellings_of_a_date(text):
    assert parse_time(text) == int(datetime.datetime(2026, 11, 8, tzinfo=datetime.UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize("text", INVALID)
def test_other_text_is_not_a_time(text):
    assert parse_time(text) is None


def test_a_column_of_strings_equals_single_times():
    texts = [*SAME, *MIDNIGHT, *INVALID, None, "2024-02-29", "1900-03-01", "2000-02-29 23:59:59.999999"]
    moments, invalid = parse_times(pa.array(texts))
    expected = [None if text is None else parse_time(text) for text in texts]
    assert [None if bad else int(moment) for moment, bad in zip(moments, invalid, strict=True)] == expected


def test_random_times_equal_datetime():
    rng = np.random.default_rng(0)
    seconds = rng.integers(-2_000_000_000, 4_000_000_000, 500)
    moments = [datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=int(s)) for s in seconds]
    zones = [datetime.timezone(datetime.timedelta(minutes=int(m))) for m in rng.integers(-720, 840, 500)]
    texts = [moment.astimezone(zone).isoformat(sep=" ") for moment, zone in zip(moments, zones, strict=True)]
    parsed, invalid = parse_times(pa.array(texts))
    assert not invalid.any()
    np.testing.assert_array_equal(parsed, seconds * 1_000_000)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "+05:30"])
def test_timestamps(unit, zone):
    moment = MOMENT.replace(microsecond=0)
    column = pa.array([moment, None], pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, "UTC"))
    column = column.cast(pa.timestamp(unit)) if zone is None else column.cast(pa.timestamp(unit, zone))
    parsed, invalid = parse_times(column)
    assert parsed.tolist() == [int(moment.timestamp()) * 1_000_000, 0]
    assert invalid.tolist() == [False, True]


def test_dates_and_numbers():
    midnight = parse_time("2026-11-08")
    assert parse_times(pa.array([datetime.date(2026, 11, 8)]))[0].tolist() == [midnight]
    assert parse_times(pa.array([20261108, 1794128707, None]))[0].tolist() == [midnight, parse_time("1794128707"), 0]
    parsed, invalid = parse_times(pa.array([1794128707.25, 1794128707.0, float("nan"), 3.0]))
    assert parsed.tolist() == [MICROSECONDS, MICROSECONDS - 250_000, 0, 0]
    assert invalid.tolist() == [False, False, True, True]
