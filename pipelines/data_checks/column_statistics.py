"""Columns of a TFDV statistics proto: shares of rows, frequencies of values, and quantiles."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

BYTES, FLOAT, INT = "BYTES", "FLOAT", "INT"
"""Types of columns, as TFDV names them: tokens, numbers and labels."""


@dataclasses.dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of one column.

    Attributes:
        proto: `FeatureNameStatistics` of the column.
        rows: Number of rows of the statistics.
    """

    proto: Any
    rows: int

    @property
    def name(self) -> str:
        """Name of the column."""
        return str(self.proto.path.step[0] if self.proto.path.step else self.proto.name)

    @functools.cached_property
    def type(self) -> str:
        """Type of the values: `BYTES`, `FLOAT` or `INT`."""
        field = self.proto.DESCRIPTOR.fields_by_name["type"]
        name = str(field.enum_type.values_by_number[self.proto.type].name)
        return BYTES if name == "STRING" else name

    @property
    def filled(self) -> int:
        """Number of rows with a value; a row with an empty list has none."""
        common = self._statistics.common_stats
        return int(min(common.num_non_missing, common.tot_num_values))

    @property
    def filled_share(self) -> float:
        """Share of rows with a value."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def values(self) -> int:
        """Number of values in all rows, which for lists is larger than the number of rows."""
        return int(self._statistics.common_stats.tot_num_values)

    @property
    def mean(self) -> float:
        """Mean of the numbers or labels."""
        return float(self.proto.num_stats.mean)

    @property
    def std(self) -> float:
        """Standard deviation of the numbers or labels."""
        return float(self.proto.num_stats.std_dev)

    @property
    def distinct(self) -> int:
        """Number of different tokens."""
        return int(self.proto.string_stats.unique)

    @functools.cached_property
    def counts(self) -> Mapping[str, float]:
        """Number of occurrences of each token; of the 1,000 most frequent ones if there are more.

        TFDV joins the others to one bucket of several ranks, which is left out.
        """
        buckets = self.proto.string_stats.rank_histogram.buckets
        return {bucket.label: bucket.sample_count for bucket in buckets if bucket.low_rank == bucket.high_rank}

    @functools.cached_property
    def shares(self) -> Mapping[str, float]:
        """Share of each token of `counts` among all values."""
        return {value: count / max(self.values, 1) for value, count in self.counts.items()}

    @property
    def largest_share(self) -> float:
        """Share of the most frequent token among all values."""
        return max(self.shares.values(), default=0.0)

    def share_changes(self, other: "ColumnStatistics") -> dict[str, float]:
        """Returns the absolute change of the share of each token from another column.

        The largest change is the L-infinity distance of the two distributions.

        Args:
            other: Column of the same name in another log.
        """
        tokens = {*self.shares, *other.shares}
        return {token: abs(self.shares.get(token, 0.0) - other.shares.get(token, 0.0)) for token in tokens}

    @property
    def unseen_share(self) -> float:
        """Good-Turing estimate of the share of values in other rows whose token does not occur in these rows.

        It is `N1 / N` for `N1` tokens that occur once among `N` values (Good, 1953).
        """
        return sum(count == 1 for count in self.counts.values()) / max(self.values, 1)

    def share_outside(self, low: float, high: float) -> float:
        """Returns a lower bound of the share of numbers outside `[low, high]`, by their quantiles.

        A part between two quantiles counts if all of it is outside, as its distribution is not known.
        """
        kind = type(self.proto.num_stats.histograms[0]).QUANTILES if self.proto.num_stats.histograms else None
        buckets = [bucket for one in self.proto.num_stats.histograms if one.type == kind for bucket in one.buckets]
        total = sum(bucket.sample_count for bucket in buckets)
        outside = sum(bucket.sample_count for bucket in buckets if bucket.high_value < low or bucket.low_value > high)
        return float(outside / total) if total else 0.0

    @property
    def _statistics(self) -> Any:
        return self.proto.string_stats if self.type == BYTES else self.proto.num_stats


def columns_of(statistics: Any) -> dict[str, ColumnStatistics]:
    """Returns the columns of statistics by name.

    Args:
        statistics: `DatasetFeatureStatisticsList` of one dataset.
    """
    (dataset,) = statistics.datasets
    columns = [ColumnStatistics(proto, int(dataset.num_examples)) for proto in dataset.features]
    return {column.name: column for column in columns}


def share_error(share: float, rows: float) -> float:
    """Returns the standard error of a share among independent rows, `sqrt(p (1 - p) / n)`.

    So that a share of 0 or 1 in few rows has an error too, `p` counts one row of each kind more (Laplace).
    """
    if rows <= 0:
        return 1.0
    smoothed = (share * rows + 1) / (rows + 2)
    return float(np.sqrt(smoothed * (1 - smoothed) / rows))
