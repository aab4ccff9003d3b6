"""Comparison of the mean of a label with that of a reference."""

import math
from collections.abc import Iterator

from pipelines.data_checks.anomalies import Anomaly
from pipelines.data_checks.column_statistics import ColumnStatistics
from pipelines.data_checks.options import DataChecks


def compare_labels(
    column: ColumnStatistics, mean: float, rows: float, std: float, reference: str, checks: DataChecks
) -> Iterator[Anomaly]:
    r"""Compares the rate of a binary label, or the mean of a count, with that of a reference.

    The logarithms of the odds `p / (1 - p)` of rates, or of the means of counts, may differ by at most
    `log(max_label_odds) + z s`, for `z` standard errors `s` of their difference if both have one mean. For rates of `n`
    and `m` rows with the common rate `p`, `s^2 = (1 / n + 1 / m) / (p (1 - p))`.

    Args:
        column: Label in the log.
        mean: Mean of the label in the reference.
        rows: Number of rows of the reference; 0 if its mean counts as exact.
        std: Standard deviation of the label in the reference.
        reference: Name of the reference, for the anomaly.
        checks: Bounds.

    Yields:
        At most one anomaly.
    """
    if checks.max_label_odds is None or not column.rows:
        return
    is_rate = column.proto.num_stats.max <= 1 and mean <= 1
    if is_rate:
        difference, error = _log_odds(column.mean, column.rows, mean, rows)
    else:
        difference, error = _log_means(column, mean, rows, std)
    bound = math.log(checks.max_label_odds) + checks.standard_errors * error
    if abs(difference) <= bound:
        return
    factor = math.exp(bound)
    low, high = (_rate(mean, 1 / factor), _rate(mean, factor)) if is_rate else (mean / factor, mean * factor)
    expected = f"a mean of {low:.3g} to {high:.3g}, by {mean:.3g} in {reference}"
    advice = "Look at what writes the label; if the change is right, run again with --accept."
    yield Anomaly(column.name, "max_label_odds", expected, f"{column.mean:.3g}", advice)


def _log_odds(p: float, n: float, q: float, m: float) -> tuple[float, float]:
    """Returns the difference of the log odds of two rates and its standard error.

    Half a row is added to each class, so that both are finite if a class has no row (Haldane, 1956).
    """
    ours, theirs = (p * n + 0.5) / (n + 1), (q * (m or n) + 0.5) / ((m or n) + 1)
    common = (ours * n + theirs * m) / (n + m) if m else theirs
    variance = (1 / n + (1 / m if m else 0.0)) / (common * (1 - common))
    return _logit(ours) - _logit(theirs), math.sqrt(variance)


def _log_means(column: ColumnStatistics, mean: float, rows: float, std: float) -> tuple[float, float]:
    """Returns the difference of the logarithms of two means and its standard error.

    The error is that of the log with the larger relative deviation, at least that of Poisson counts: few rows of a
    heavy tail often lack its largest counts.
    """
    n = column.rows
    ours, theirs = column.mean + 0.5 / n, mean + 0.5 / (rows or n)
    common = (ours * n + theirs * rows) / (n + rows) if rows else theirs
    relative = max(column.std / ours, std / theirs, 1 / math.sqrt(common))
    return math.log(ours / theirs), relative * math.sqrt(1 / n + (1 / rows if rows else 0.0))


def _logit(rate: float) -> float:
    return math.log(rate / (1 - rate))


def _rate(rate: float, factor: float) -> float:
    """Returns the rate whose odds are `factor` times those of a rate."""
    return rate * factor / (1 - rate + rate * factor)
