"""Table and checks of a run of `benchmarks.train`, computed from the measurements of the rows' processes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import TITLES, Row

COLUMNS = ("row", "batch", "examples/s", "ms/step", "time ratio", "MFLOP/example", "GFLOP/s", "of limit", "peak MB")
_BFLOAT16 = ("bfloat16", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class Measured:
    """Measurements of one row.

    Attributes:
        row: The row.
        seconds: Seconds of a step or of a matrix product, in the best round; None if the row failed.
        batch: Number of examples of a step; None for a matrix product.
        flops: Operations of the matrix products that a step needs; None if they are not known.
        repeated: Operations of the matrix products that a step computes again to save memory.
        peak_mb: Peak memory of the process in MB; None for a matrix product.
        spread: Time of the slowest round over that of the best one.
        error: Reason why there are no measurements.
    """

    row: Row
    seconds: float | None = None
    batch: int | None = None
    flops: int | None = None
    repeated: int = 0
    peak_mb: float | None = None
    spread: float = 1.0
    error: str = ""

    @property
    def rate(self) -> float | None:
        """Operations per second."""
        return self.flops / self.seconds if self.flops and self.seconds else None

    @property
    def examples_per_second(self) -> float | None:
        """Examples per second."""
        return self.batch / self.seconds if self.batch and self.seconds else None

    @property
    def dtype(self) -> str:
        """Dtype of the products, `float32` or `bfloat16`."""
        name = self.row.job.get("policy") or self.row.job.get("dtype")
        return "bfloat16" if name in _BFLOAT16 else "float32"


def best_round(row: Row, rounds: Sequence[Mapping[str, Any]]) -> Measured:
    """Returns the measurements of a row's best round.

    A product `y = x W` of the forward pass has two products with as many operations in the backward pass. Operations
    beyond three times those of the forward pass are repeated to save memory, and are not counted as work.

    Args:
        row: The row.
        rounds: Results that the row's process printed, one for each round.
    """
    errors = [one["error"] for one in rounds if "error" in one]
    if errors or not rounds:
        return Measured(row, error=errors[0] if errors else "not measured")
    best = min(rounds, key=lambda one: one["seconds"])
    counted = next((one for one in rounds if "flops" in one), {})
    flops, repeated = counted.get("flops"), 0
    if "forward_flops" in counted:
        flops = min(counted["flops"], 3 * counted["forward_flops"])
        repeated = counted["flops"] - flops
    peaks = [one["peak_mb"] for one in rounds if "peak_mb" in one]
    return Measured(
        row,
        best["seconds"],
        best.get("batch"),
        flops,
        repeated,
        max(peaks) if peaks else None,
        max(one["seconds"] for one in rounds) / best["seconds"],
    )


class Results:
    """Measurements of all rows, with their ratios, their shares of the limit, and the checks.

    Args:
        rows: Measurements in the order of the table.
    """

    def __init__(self, rows: Sequence[Measured]):
        self.rows = {one.row.name: self._with_flops(one, rows) for one in rows}

    def limit(self, dtype: str) -> float | None:
        """Returns the limit of a dtype: the most operations per second of a plain matrix product in this run.

        Args:
            dtype: `float32` or `bfloat16`.
        """
        rates = [one.rate for one in self.rows.values() if one.row.section == "limit" and one.dtype == dtype]
        return max((rate for rate in rates if rate), default=None)

    def share(self, name: str) -> float | None:
        """Returns a row's operations per second, relative to the limit of its dtype.

        Args:
            name: Name of the row.
        """
        one = self.rows.get(name)
        limit = self.limit(one.dtype) if one else None
        return one.rate / limit if one and one.rate and limit else None

    def ratio(self, name: str, reference: str | None = None, per: str = "") -> float | None:
        """Returns a row's time, relative to that of a reference.

        Args:
            name: Name of the row.
            reference: Name of the reference; by default that of the row.
            per: `example` or `step`; by default that of the row.
        """
        one = self.rows.get(name)
        other = self.rows.get(reference or (one.row.reference if one else None) or "")
        if not one or not other or not one.seconds or not other.seconds:
            return None
        ratio = one.seconds / other.seconds
        if (per or one.row.per) == "step":
            return ratio
        return ratio * other.batch / one.batch if one.batch and other.batch else None

    def sections(self) -> list[tuple[str, list[list[str]]]]:
        """Returns the title and the lines of each section, with a cell for each of `COLUMNS`."""
        sections = []
        for section, title in TITLES.items():
            rows = [one for one in self.rows.values() if one.row.section == section]
            if rows:
                sections.append((title, [self._line(one) for one in rows]))
        return sections

    def checks(self) -> list[tuple[str, bool]]:
        """Returns each bound of the measured rows with its value, and whether it holds."""
        checks = []
        for text, value, bound, at_most in self._bounds():
            if value is not None:
                holds = value <= bound if at_most else value >= bound
                checks.append((f"{text}: {value:.2f} (bound: {'at most' if at_most else 'at least'} {bound})", holds))
        return checks

    @staticmethod
    def _with_flops(one: Measured, rows: Sequence[Measured]) -> Measured:
        """Returns a row with the operations of its reference, if both compute the same products."""
        if one.flops is not None or not one.row.same_model:
            return one
        flops = next((other.flops for other in rows if other.row.name == one.row.reference), None)
        return dataclasses.replace(one, flops=flops)

    def _line(self, one: Measured) -> list[str]:
        if one.error:
            return [one.row.label, f"failed: {one.error}", *[""] * (len(COLUMNS) - 2)]
        flops_per_example = one.flops / one.batch / 1e6 if one.flops and one.batch else None
        repeated = f" + {one.repeated / one.batch / 1e6:.2f}" if one.repeated and one.batch else ""
        share = self.share(one.row.name)
        return [
            one.row.label,
            str(one.batch or ""),
            _number(one.examples_per_second, ",.0f"),
            _number(one.seconds and 1e3 * one.seconds, ",.2f"),
            _number(self.ratio(one.row.name), ".2f"),
            _number(flops_per_example, ".2f") + repeated,
            _number(one.rate and one.rate / 1e9, ".0f"),
            _number(share and 100 * share, ".0f", " %"),
            _number(one.peak_mb, ",.0f"),
        ]

    def _bounds(self) -> list[tuple[str, float | None, float, bool]]:
        plain = {ids: f"mmoe/{ids}/float32" for ids in (50_000, 500_000, 5_000_000)}
        bounds = [
            ("step of 5 M ids / step of 50 k ids", self.ratio(plain[5_000_000], plain[50_000], "step"), 1.15, True),
            ("speed / torch-rechub's as shipped, 5 M ids", self.ratio("mmoe/5000000/rechub"), 4.0, False),
            ("speed / torch-rechub's as shipped, 500 k ids", self.ratio("mmoe/500000/rechub"), 1.5, False),
            ("MMoE, float32, share of the limit", self.share(plain[500_000]), 0.8, False),
            ("MMoE, mixed_bfloat16 speed / float32 speed", self._speed("mmoe/500000/bfloat16"), 1.4, False),
            ("APEM, share of the limit", self.share("models/apem"), 0.4, False),
            ("M2M, share of the limit", self.share("models/m2m"), 0.4, False),
        ]
        for preset in ("ali_ccp", "ecomm_ads"):
            text = f"AdaFTR speed / its backbone's, {preset}"
            bounds.append((text, self._speed(f"strategies/adaftr_{preset}"), 0.75, False))
        maml = self.ratio("strategies/maml_second")
        return [*bounds, ("MAML step of second order / plain step", maml, 5.0, True)]

    def _speed(self, name: str) -> float | None:
        ratio = self.ratio(name)
        return 1 / ratio if ratio else None


def _number(value: float | None, format_spec: str, unit: str = "") -> str:
    return f"{value:{format_spec}}{unit}" if value else ""
