"""Options of the data checks, of which each can be turned off."""

import dataclasses

from tfmtl.config import require

_SHARES = ("max_rejected", "max_rejected_rise", "max_missing_change", "max_unknown", "max_out_of_range", "min_known")
_DISTANCES = ("max_drift", "max_number_drift", "max_skew", "max_number_skew")


@dataclasses.dataclass(frozen=True)
class DataChecks:
    """Bounds of the data checks. A check whose bound is null is turned off.

    All statistics are computed on samples, so each bound is widened by `standard_errors` times the standard error of
    the quantity that it bounds: a small log is not refused for its sampling noise.

    Attributes:
        enabled: Whether the data are checked at all.
        max_rejected: Largest share of rejected rows.
        max_rejected_rise: Largest increase of the share of rejected rows from the last accepted run.
        max_missing_change: Largest change of the share of rows without a value, for each column.
        max_unknown: Largest share of values of a categorical column that are not in its domain in the schema.
        max_out_of_range: Largest share of numbers that are outside the range of their column in the schema. Of each
            tenth of the numbers, by size, all or none count.
        min_known: Smallest share of rows, relative to that of the last accepted run, with a value that was frequent
            there. Only columns without a domain, such as ids, are compared in this way.
        max_label_odds: Largest ratio of the odds of a label, `p / (1 - p)`, to those of the reference, and of those of
            the reference to it; for a count, of the means.
        max_drift: Largest L-infinity distance of the shares of a categorical column's values from those of the last
            accepted run.
        max_number_drift: Largest Jensen-Shannon divergence (base 2) of numbers and counts from those of the last
            accepted run. It is computed from histograms of tenths, of whose outer two only the ends are known: they
            alone can cause a divergence of 0.2.
        max_skew: Largest L-infinity distance between the log and `requests`.
        max_number_skew: Largest Jensen-Shannon divergence between the log and `requests`.
        standard_errors: Number of standard errors by which bounds are widened.
        ignore: Names of columns that are not checked.
        requests: File of requests with which the log is compared (`pipelines.data_checks.requests`): Parquet, CSV, or
            TFRecord of tf.Examples or PredictionLogs; null for none.

    Example:
        >>> from pipelines.data_checks.options import DataChecks
        >>> DataChecks(max_drift=0.1, ignore=("hour",)).max_drift
        0.1
    """

    enabled: bool = True
    max_rejected: float | None = 0.2
    max_rejected_rise: float | None = 0.05
    max_missing_change: float | None = 0.1
    max_unknown: float | None = 0.02
    max_out_of_range: float | None = 0.05
    min_known: float | None = 0.05
    max_label_odds: float | None = 2.0
    max_drift: float | None = 0.2
    max_number_drift: float | None = 0.25
    max_skew: float | None = 0.2
    max_number_skew: float | None = 0.25
    standard_errors: float = 4.0
    ignore: tuple[str, ...] = ()
    requests: str | None = None

    def __post_init__(self) -> None:
        for name in (*_SHARES, *_DISTANCES):
            value = getattr(self, name)
            require(value is None or 0 <= value <= 1, name, "from 0 to 1, or null", value)
        is_ratio = self.max_label_odds is None or self.max_label_odds >= 1
        require(is_ratio, "max_label_odds", "at least 1, or null", self.max_label_odds)
        require(self.standard_errors >= 0, "standard_errors", "0 or more", self.standard_errors)
        require(self.requests != "", "requests", "the path of a file, or null", self.requests)
