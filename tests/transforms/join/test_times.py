"""Times of events in units and zones, against Python's datetime."""

import datetime
import zoneinfo

import numpy as np
import pyarrow as pa
import pytest

from transforms.join.options import EventLog
from transforms.join.times import days, event_times

ROME = zoneinfo.ZoneInfo("Europe/Rome")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def log(**options):
    return EventLog(pattern="*.csv", time="time", **options)


def in_microseconds(moment):
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("s", "12", 12_000_000),
        ("s", "12.25", 12_250_000),
        ("s", "1e3", 1_000_000_000),
        ("ms", "1793510597432", 1_793_510_597_432_000),
        ("us", "5", 5),
        ("ns", "1793510597432123456", 1_793_510_597_432_123),
        ("auto", "1793510597432", 1_793_510_597_432_000),
        ("auto", "1793510597", 1_793_510_597_000_000),
    ],
)
def test_units(unit, text, expected):
    times, invalid = event_times(pa.array([text]), log(unit=unit))
    assert (times.tolist(), invalid.tolist()) == ([expected], [False])


@pytest.mark.parametrize("text", ["", "soon", "nan", None, "2026-11-01"])
def test_what_is_not_a_number_of_the_unit_is_invalid(text):
    assert event_times(pa.array([text, "7"], pa.string()), log(unit="s"))[1].tolist() == [True, False]


def test_columns_of_numbers():
    assert event_times(pa.array([3, None]), log(unit="ms"))[0].tolist() == [3000, 0]
    assert event_times(pa.array([3, None]), log(unit="ms"))[1].tolist() == [False, True]
    assert event_times(pa.array([0.5]), log(unit="s"))[0].tolist() == [500_000]


@pytest.mark.parametrize(
    "text",
    ["2026-07-01 10:00:00", "2026-12-01T10:00", "2026-07-01", "20260701100000", "20260701", " 2026-07-01 10:00:00.5 "],
)
def test_times_without_a_zone_are_local(text):
    times, invalid = event_times(pa.array([text]), log(zone="Europe/Rome"))
    digits = text.strip()
    moment = (
        datetime.datetime.strptime(digits, "%Y%m%d%H%M%S")
        if digits.isdigit() and len(digits) == 14
        else datetime.datetime.fromisoformat(digits)
    )
    assert not invalid.any()
    assert times.tolist() == [in_microseconds(moment.replace(tzinfo=ROME))]


@pytest.mark.parametrize(
    "text", ["2026-07-01 10:00:00Z", "2026-07-01T10:00:00+02:00", "2026-07-01 10:00 -0500", "1793510597"]
)
def test_times_with_a_zone_and_seconds_since_1970_are_not_local(text):
    assert event_times(pa.array([text]), log(zone="Europe/Rome"))[0] == event_times(pa.array([text]), log())[0]


def test_timestamps():
    naive = pa.array([datetime.datetime(2026, 7, 1, 10)], pa.timestamp("ms"))
    aware = pa.array([datetime.datetime(2026, 7, 1, 10, tzinfo=datetime.UTC)], pa.timestamp("us", "UTC"))
    difference = event_times(aware, log(zone="Europe/Rome"))[0] - event_times(naive, log(zone="Europe/Rome"))[0]
    assert difference.tolist() == [2 * 3600 * 1_000_000]
    day = event_times(pa.array([datetime.date(2026, 7, 1)]), log(zone="Europe/Rome"))[0]
    assert day.tolist() == [in_microseconds(datetime.datetime(2026, 7, 1, tzinfo=ROME))]


def test_hours_that_a_clock_shows_twice_or_never():
    twice, never = "2026-10-25 02:30:00", "2026-03-29 02:30:00"
    times, invalid = event_times(pa.array([twice, never]), log(zone="Europe/Rome"))
    first = datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC)
    assert not invalid.any()
    assert times[0] == in_microseconds(first)
    assert times[1] == in_microseconds(datetime.datetime(2026, 3, 29, 1, tzinfo=datetime.UTC))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome", "America/New_York"])
def test_days_of_a_zone(zone):
    random = np.random.default_rng(0)
    times = random.integers(0, 2_000_000_000_000_000, 200)
    expected = [
        (EPOCH + datetime.timedelta(microseconds=int(time))).astimezone(zoneinfo.ZoneInfo(zone)).date()
        for time in times
    ]
    assert days(times, zone).tolist() == [(day - EPOCH.date()).days for day in expected]
