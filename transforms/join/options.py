"""Options of the join of impressions, clicks and conversions."""

import dataclasses
import re
import zoneinfo
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import require
from tfmtl.times import parse_time
from transforms.readers.log_format import FOLDER_READERS, INGESTED, LogFormat

LAST_CLICK, LAST_IMPRESSION = "last_click", "last_impression"
CLICK, CONVERSION = "click", "conversion"
"""Names of the labels."""
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
"""Microseconds of a unit of times that are numbers."""
_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def microseconds(duration: str) -> int | None:
    """Returns a duration, such as `7d`, `12h`, `30m` or `90s`, in microseconds; None if it is not one.

    Args:
        duration: Whole number with a unit: days, hours, minutes or seconds.
    """
    match = _DURATION.fullmatch(duration)
    return None if match is None else int(match[1]) * _SECONDS[match[2]] * 1_000_000


def require_zone(zone: str, path: str) -> None:
    """Checks that a time zone is known.

    Args:
        zone: Name of the zone.
        path: Name of the option.

    Raises:
        FieldError: If there is no such zone.
    """
    expected = "the name of a time zone, such as UTC or Europe/Rome"
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        require(False, path, expected, zone)


@dataclasses.dataclass(frozen=True)
class EventLog(LogFormat):
    """Log of one kind of events, and the format of its files (`transforms.readers.log_format.LogFormat`).

    Attributes:
        pattern: Glob pattern of the files, relative to the folder of the logs: `clicks/*.csv.gz`,
            `impressions/day=*/*.parquet`.
        time: Column of the event's time: seconds, milliseconds, microseconds or nanoseconds since 1970, a date with a
            time of day, or a timestamp of Parquet.
        unit: Unit of times that are numbers: `s`, `ms`, `us` or `ns`; by default it is recognized by the number of
            digits.
        zone: Time zone of times without one.
        id: Column of the event's id. Of events with the same id, the first one counts. Without it, those of events
            with the same key and time do.
        values: Columns of numbers of a conversion, such as its revenue. Each is written as the sum over the conversions
            that are attributed to an impression, 0 without any.
    """

    pattern: str = ""
    time: str = ""
    unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    zone: str = "UTC"
    id: str = ""
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.pattern), "pattern", "a pattern of files, such as clicks/*.csv", self.pattern)
        require(bool(self.time), "time", "the column of the event's time", self.time)
        require(self.reader not in (*FOLDER_READERS, INGESTED), "reader", "that of single files", self.reader)
        require_zone(self.zone, "zone")


@dataclasses.dataclass(frozen=True)
class AttributionOptions:
    """Windows of the attribution.

    Attributes:
        click: Longest time from an impression to its click, such as `1d`, `12h` or `30m`.
        conversion: Longest time from a click, or an impression, to its conversion.
        to: Cause of a conversion: the last click, or the last impression, whether it was clicked or not.
    """

    click: str = "1d"
    conversion: str = "7d"
    to: Literal["last_click", "last_impression"] = "last_click"

    def __post_init__(self) -> None:
        for name in (CLICK, CONVERSION):
            value = getattr(self, name)
            is_positive = bool(microseconds(value))
            require(is_positive, name, "a time such as 7d, 12h, 30m or 90s", value)

    @property
    def windows(self) -> Mapping[str, int]:
        """Windows in microseconds, by label."""
        return {name: microseconds(getattr(self, name)) or 0 for name in (CLICK, CONVERSION)}

    @property
    def longest(self) -> Mapping[str, int]:
        """Longest times from an impression to an event of each label, in microseconds."""
        windows = self.windows
        before = windows[CLICK] if self.to == LAST_CLICK else 0
        return {CLICK: windows[CLICK], CONVERSION: before + windows[CONVERSION]}


@dataclasses.dataclass(frozen=True)
class JoinOptions:
    """Options of `tfmtl join`.

    Attributes:
        key: Columns whose values relate events to an impression, in all logs: `[impression_id]`, `[user_id, item_id]`.
            A log in which they have other names maps them by its `columns`.
        impressions: Log of the impressions.
        clicks: Log of the clicks.
        conversions: Log of the conversions; None if there is none.
        attribution: Windows of the attribution.
        keep: Columns of the impressions that are written; all columns of the first file if empty.
        end: Time at which the logs end; by default that of the last event. Later events are left out.
        zone: Time zone of the days into which the impressions are divided.
        copies: Labels, `click` or `conversion`, whose positive rows are written again on the day of their event, with 1
            in the column `<label>_copy`. A task with `maturity: importance` needs them.
    """

    key: tuple[str, ...]
    impressions: EventLog
    clicks: EventLog
    conversions: EventLog | None = None
    attribution: AttributionOptions = AttributionOptions()
    keep: tuple[str, ...] = ()
    end: str | None = None
    zone: str = "UTC"
    copies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.key), "key", "at least one column", self.key)
        require_zone(self.zone, "zone")
        is_time = self.end is None or parse_time(self.end) is not None
        require(is_time, "end", "a time, such as 2026-11-18 or 2026-11-18 10:00:00+01:00", self.end)
        labels = [CLICK] if self.conversions is None else [CLICK, CONVERSION]
        for i, label in enumerate(self.copies):
            require(label in labels, ("copies", i), f"one of {', '.join(labels)}", label)
            require(label not in self.copies[:i], ("copies", i), "listed once", label)
        for name in ("impressions", "clicks"):
            log = getattr(self, name)
            require(not log.values, (name, "values"), "left out, as only conversions have values", log.values)

    @property
    def logs(self) -> dict[str, EventLog]:
        """Logs by name."""
        found = {"impressions": self.impressions, "clicks": self.clicks}
        return found if self.conversions is None else {**found, "conversions": self.conversions}
