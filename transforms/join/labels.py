"""Labels of impressions: which were clicked, which clicks converted, and which may still be."""

import collections
import dataclasses
from collections.abc import Mapping

import numpy as np

from transforms.join.attribution import (
    AFTER_WINDOW,
    BEFORE_CAUSE,
    NO_CAUSE,
    Attribution,
    Moments,
    attribute,
    last_of_keys,
)
from transforms.join.options import CLICK, CONVERSION, LAST_CLICK, AttributionOptions

NO_IMPRESSION, NO_CLICK = "without impression", "without click"
BEFORE, LATE, AGAIN, USED = "before its cause", "after the window", "again", "attributed"
"""Outcomes of clicks and conversions; the impression of an attributed event that is `again` has an earlier one."""
OUTCOMES = {
    USED: "the first one of its impression within the window",
    AGAIN: "a further one of its impression within the window",
    NO_IMPRESSION: "no impression has its key",
    NO_CLICK: "impressions have its key, but no attributed click has",
    BEFORE: "all impressions or clicks with its key are later",
    LATE: "the last impression or click with its key is older than the window",
}
"""Explanation of each outcome."""


@dataclasses.dataclass(frozen=True)
class Label:
    """Label of each impression, and the events that it comes from.

    Attributes:
        values: 1 if an event is attributed to the impression, otherwise 0; int8 `(impressions,)`.
        is_open: True if the label is 0 but a later event than the end of the logs may be attributed to the impression,
            because the window had not ended and no later cause has the same key; bool `(impressions,)`.
        times: Time of the impression's first event in microseconds, 0 if there is none; int64 `(impressions,)`.
        events: Indices of the attributed events, int64 `(attributed,)`.
        rows: Index of the impression of each of `events`, int64 `(attributed,)`.
        outcomes: Number of events by outcome, one of `OUTCOMES`.
    """

    values: np.ndarray
    is_open: np.ndarray
    times: np.ndarray
    events: np.ndarray
    rows: np.ndarray
    outcomes: Mapping[str, int]


def label_clicks(impressions: Moments, clicks: Moments, options: AttributionOptions, end: int) -> Label:
    """Attributes each click to the last impression with its key within the window of clicks.

    Args:
        impressions: Impressions, without duplicates.
        clicks: Clicks, without duplicates.
        options: Windows.
        end: Time at which the logs end, in microseconds.

    Returns:
        Labels of the impressions.
    """
    window = options.windows[CLICK]
    found = attribute(impressions, clicks, window)
    is_open = _may_follow(impressions, window, end)
    return _label(impressions, clicks, found, found.causes[found.attributed], is_open, NO_IMPRESSION)


def label_conversions(
    impressions: Moments, clicks: Moments, click: Label, conversions: Moments, options: AttributionOptions, end: int
) -> Label:
    """Attributes each conversion to the last click, or the last impression, with its key within its window.

    With `last_click`, the label belongs to the impression of the click; clicks without an impression are no cause. The
    label of an impression is open while a click may come, and if the last click with its key is one of it, until the
    window of that click has ended.

    Args:
        impressions: Impressions, without duplicates.
        clicks: Clicks, without duplicates.
        click: Labels of the clicks.
        conversions: Conversions, without duplicates.
        options: Windows.
        end: Time at which the logs end, in microseconds.

    Returns:
        Labels of the impressions.
    """
    window = options.windows[CONVERSION]
    if options.to != LAST_CLICK:
        found = attribute(impressions, conversions, window)
        is_open = _may_follow(impressions, window, end)
        return _label(impressions, conversions, found, found.causes[found.attributed], is_open, NO_IMPRESSION)
    causes = clicks.take(click.events)
    found = attribute(causes, conversions, window)
    is_open = _may_follow(impressions, options.windows[CLICK], end)  # A further click may come, and convert.
    is_open[click.rows[_may_follow(causes, window, end)]] = True
    has_impression = np.isin(conversions.keys, impressions.keys)
    rows = click.rows[found.causes[found.attributed]]
    label = _label(impressions, conversions, found, rows, is_open, NO_CLICK)
    orphans = int((~has_impression).sum())
    return dataclasses.replace(
        label, outcomes={**label.outcomes, NO_IMPRESSION: orphans, NO_CLICK: label.outcomes[NO_CLICK] - orphans}
    )


def _may_follow(causes: Moments, window: int, end: int) -> np.ndarray:
    """Returns the mask of the causes to which an event after the end may be attributed, bool `(causes,)`."""
    mask: np.ndarray = (causes.times + window > end) & last_of_keys(causes)
    return mask


def _label(
    impressions: Moments, events: Moments, found: Attribution, rows: np.ndarray, is_open: np.ndarray, without: str
) -> Label:
    attributed = found.attributed
    values = np.zeros(len(impressions.keys), np.int8)
    values[rows] = 1
    times = np.zeros(len(values), np.int64)
    latest_first = np.argsort(-events.times[attributed], kind="stable")
    times[rows[latest_first]] = events.times[attributed][latest_first]  # The last assignment to a row is the earliest.
    outcomes: dict[str, int] = collections.Counter()
    outcomes[USED] = int(values.sum())
    outcomes[AGAIN] = len(attributed) - outcomes[USED]
    outcomes[without] = int((found.outcomes == NO_CAUSE).sum())
    outcomes[BEFORE] = int((found.outcomes == BEFORE_CAUSE).sum())
    outcomes[LATE] = int((found.outcomes == AFTER_WINDOW).sum())
    return Label(values, is_open & (values == 0), times, attributed, rows, outcomes)
