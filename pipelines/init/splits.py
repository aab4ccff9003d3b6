"""Decision about the split: by time where the log has a time, at random otherwise."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from tfmtl.splits import RandomSplit, TimeSplit
from transforms.profile.columns import ColumnProfile

EVAL_SHARE, TEST_SHARE = 0.1, 0.1
_NAMES = (r"^(time|timestamp|datetime|event_time|ts)$", r"timestamp|datetime|time", r"date|day", r"")
_DAY = 86_400_000_000


def decide_split(
    times: Sequence[ColumnProfile], names: Mapping[str, str], labels: Mapping[str, np.ndarray], is_prefix: bool
) -> tuple[RandomSplit | TimeSplit, str]:
    """Decides about the split.

    The bounds of a split by time are the 80 % and 90 % quantiles of the times in the sample.

    Args:
        times: Profiles of the columns of times that may be used.
        names: Name in the spec by column.
        labels: Binary labels by task.
        is_prefix: Whether the sample may hold the first rows of the log only.

    Returns:
        The split, and a sentence with the reason.
    """
    at_random = RandomSplit(eval=EVAL_SHARE, test=TEST_SHARE)
    if not times:
        return at_random, "The split is random: there is no column of times."
    column = min(times, key=_rank)
    if is_prefix:
        return at_random, f"The split is random: the times of {column.name} are known for a part of the log."
    assert column.moments is not None
    moments = column.moments
    bounds = [
        _rounded(float(np.quantile(moments, share)), moments) for share in (1 - EVAL_SHARE - TEST_SHARE, 1 - TEST_SHARE)
    ]
    parts = (moments >= bounds[0]).astype(int) + (moments >= bounds[1])
    for task, label in labels.items():
        for part in range(3):
            if len(np.unique(label[parts == part])) < 2:
                reason = f"The split is random: by {column.name}, a split would have one class of {task} only."
                return at_random, reason
    first, second = (_text(bound) for bound in bounds)
    rows = ", ".join(f"{share:.0%}" for share in np.bincount(parts, minlength=3) / len(parts))
    return (
        TimeSplit(names[column.name], first, second),
        f"The split is by {column.name}: train, eval and test have {rows} of the rows.",
    )


def _rank(column: ColumnProfile) -> tuple[int, int]:
    name = column.name.lower()
    return next(i for i, pattern in enumerate(_NAMES) if re.search(pattern, name)), -column.distinct


def _rounded(moment: float, moments: np.ndarray) -> int:
    """Rounds a bound up to a whole day if all times are dates, and to a second otherwise."""
    unit = _DAY if not (moments % _DAY).any() else 1_000_000
    return -int(-moment // unit) * unit


def _text(moment: int) -> str:
    text = str(np.datetime64(moment, "us").astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(" 00:00:00")
