"""Decision whether and as which kind of feature a column is used."""

import dataclasses
import math
import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tfmtl.features import (
    CategoricalFeature,
    DenseFeature,
    Feature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
)
from transforms.batches.column_types import format_values
from transforms.profile.columns import ColumnProfile
from transforms.profile.leaks import SMOOTHING, find_leak, label_means, rank_auc

_ID_NAME = re.compile(
    r"(^|_)(id|ids|uid|uuid|code|type|category|cate|cat|class|zip|brand|device|slot|hour|weekday|bin)(_|$)|id$"
)
_MAX_CATEGORIES = 32
_BUCKETS = 40
_LONGEST_LIST = 50


@dataclasses.dataclass(frozen=True)
class ColumnDecision:
    """Decision about one column.

    Attributes:
        column: Profile of the column.
        feature: The feature, or None if the column is not used.
        reason: Reason, in a few words.
        is_leak: Whether the column is left out because it looks like a leak.
    """

    column: ColumnProfile
    feature: Feature | None
    reason: str
    is_leak: bool = False


def decide(
    profile: ColumnProfile,
    column: pa.Array,
    name: str,
    labels: Mapping[str, np.ndarray],
    min_frequency: int,
    keep: bool = False,
    categorical: bool = False,
) -> ColumnDecision:
    """Decides about a column.

    Args:
        profile: Profile of the column.
        column: Values of the column in the sample.
        name: Name of the feature.
        labels: Binary labels by task.
        min_frequency: Minimum frequency of a token in a vocabulary.
        keep: Use the column even if it looks like a leak, is constant or is unique.
        categorical: Use the column as a categorical feature.
    """
    if not keep and (reason := _unusable(profile)):
        return ColumnDecision(profile, None, reason)
    if not keep and (leak := find_leak(profile, _values(profile, column, labels), labels)):
        return ColumnDecision(profile, None, leak.reason, is_leak=True)
    feature, reason = _feature(profile, name, labels, min_frequency, categorical)
    return ColumnDecision(profile, feature, reason)


def _unusable(profile: ColumnProfile) -> str:
    present = profile.rows - profile.missing
    if profile.kind == "empty":
        return "has no value"
    if profile.kind == "time":
        return "a time, which does not come again"
    if profile.kind == "decimal comma":
        return "numbers with a decimal comma, which should be a point"
    if profile.kind == "ambiguous date":
        return "dates that begin with day or month, which should be like 2026-11-08"
    if profile.distinct <= 1 and not profile.missing:
        return "constant"
    if profile.kind in ("text", "integer") and profile.distinct > 0.95 * present and present >= 100:
        return "nearly unique, like the id of a row"
    return ""


def _values(profile: ColumnProfile, column: pa.Array, labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns a column as numbers by label, for the search for leaks."""
    if profile.numbers is not None:
        return {name: profile.numbers for name in labels}
    if profile.kind == "list":
        filled = np.where(column.is_null().to_numpy(zero_copy_only=False), np.nan, 1.0)
        return {name: filled for name in labels}
    encoded = format_values(column).dictionary_encode().indices
    missing = encoded.is_null().to_numpy(zero_copy_only=False)
    codes = encoded.fill_null(0).to_numpy(zero_copy_only=False)
    return {name: label_means(codes, missing, label) for name, label in labels.items()}


def _feature(
    profile: ColumnProfile, name: str, labels: Mapping[str, np.ndarray], min_frequency: int, categorical: bool
) -> tuple[Feature, str]:
    if profile.kind == "list":
        length = max(1, min(profile.lengths[1], _LONGEST_LIST))
        separator = profile.separator or "|"
        if profile.vector_length > 1:
            return DenseFeature(name, length=profile.vector_length, separator=separator), "vectors of numbers"
        if profile.is_float_list:
            return NumberSequenceFeature(name, max_length=length, separator=separator), "lists of numbers"
        feature = MultiValuedFeature(name, max_length=length, separator=separator, min_frequency=min_frequency)
        return feature, "lists of tokens"
    if profile.kind == "number" and not categorical:
        return _number(name, profile), "numbers"
    if profile.kind == "integer" and not categorical and not (reason := _category_reason(profile, labels)):
        return _number(name, profile), "numbers"
    if profile.kind == "integer" and not categorical:
        return CategoricalFeature(name, min_frequency=min_frequency), reason
    what = "ids" if profile.distinct > 1000 else "categories"
    return CategoricalFeature(name, min_frequency=min_frequency), what


def _category_reason(profile: ColumnProfile, labels: Mapping[str, np.ndarray]) -> str:
    """Returns why integers are ids or categories rather than amounts; empty if they are amounts."""
    if _ID_NAME.search(profile.name.lower()):
        return "ids, by the name"
    if profile.distinct <= _MAX_CATEGORIES:
        return "integers with few values"
    assert profile.numbers is not None
    for label in labels.values():
        by_value, by_size = _half_aucs(profile.numbers, label)
        if by_value > by_size + 0.01:
            return "ids: the value predicts a label, its size does not"
    return ""


def _half_aucs(numbers: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Returns the AUC on one half of the rows of the label's means on the other half, by value and by quantile."""
    rows = np.flatnonzero(~np.isnan(numbers))
    fit, held_out = rows[::2], rows[1::2]
    if min(len(np.unique(label[fit])), len(np.unique(label[held_out]))) < 2:
        return 0.5, 0.5
    edges = np.unique(np.quantile(numbers[fit], np.linspace(0, 1, 31)[1:-1]))
    aucs = []
    for groups in (np.unique(numbers, return_inverse=True)[1], np.searchsorted(edges, numbers, side="right")):
        size = groups.max() + 1
        sums, counts = np.bincount(groups[fit], label[fit], size), np.bincount(groups[fit], minlength=size)
        means = (sums + SMOOTHING * label[fit].mean()) / (counts + SMOOTHING)
        aucs.append(rank_auc(label[held_out], means[groups[held_out]]))
    return aucs[0], aucs[1]


def _number(name: str, profile: ColumnProfile) -> NumericalFeature:
    """Returns a numerical feature with about `_BUCKETS` buckets between the 1 % and the 99 % quantile."""
    assert profile.numbers is not None
    present = profile.numbers[~np.isnan(profile.numbers)]
    logs = np.sign(present) * np.log1p(np.abs(present))
    low, high = np.quantile(logs, [0.01, 0.99])
    scale = _BUCKETS / max(high - low, 1e-3)
    scale = float(f"{min(max(scale, 1.0), 1e4):.2g}")
    bounds = (math.floor(logs.min() * scale), math.ceil(logs.max() * scale))
    if bounds[0] >= 0 and bounds[1] <= 64:
        bounds = (0, 64)
    margin = 0 if bounds == (0, 64) else 2
    low_bucket = 0 if 0 <= bounds[0] <= 64 else bounds[0] - margin
    return NumericalFeature(name, scale=scale, min_bucket=low_bucket, max_bucket=bounds[1] + margin)
