"""Claims, such as those of papers, tested on the runs of a comparison."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.metrics.names import HIGHER_IS_BETTER
from pipelines.compare.metrics.significance import Values, complete, holm, p_value, paired
from pipelines.compare.plan.settings import Claim, CompareSettings
from pipelines.compare.report.table import Cell, ResultTable
from tfmtl.spec import DatasetSpec

HOLDS, NOT_SHOWN, FAILS, NOT_RUN = "holds", "not shown", "does not hold", "not run"
LEVEL = 0.05
"""Significance level of the whole family of claims."""


@dataclasses.dataclass(frozen=True)
class ClaimResult:
    """Result of the tests of one claim.

    That a row is better than several others is shown by an intersection-union test: it has to be better than each of
    them, so the largest p-value of the paired t-tests decides. That it is not better is shown by one row that is
    better: the p-value against the best of the others decides, multiplied by their number (Bonferroni's correction), as
    this row was selected by its mean. A claim with a margin is tested in the same way, after the row has been given the
    margin as an advantage: it then says that the row is not worse by as much as the margin.

    Attributes:
        claim: The claim.
        metric: Name of the metric.
        best_other: The row with the best mean among those than which the claim says that its row is better; empty if a
            row or a seed is missing.
        advantage: Mean of the row's advantage over `best_other`, positive if the row is better, of errors too.
        p: P-value with Holm's correction over all claims; NaN if there is no test.

    References:
        - Berger, 1982, Multiparameter Hypothesis Testing and Acceptance Sampling (Technometrics)
    """

    claim: Claim
    metric: str
    best_other: str = ""
    advantage: float = math.nan
    p: float = math.nan

    @property
    def conclusion(self) -> str:
        """`holds`, `does not hold`, `not shown`, or `not run`.

        A claim holds if the row is significantly better than each of the others, and does not hold if the row is
        significantly worse than the best of them; a margin counts as an advantage of the row. It is not run if a row
        or a seed is missing.
        """
        if math.isnan(self.advantage):
            return NOT_RUN
        if not self.p < LEVEL:
            return NOT_SHOWN
        return HOLDS if self.advantage + self.claim.margin > 0 else FAILS


def judge_claims(settings: CompareSettings, spec: DatasetSpec, table: ResultTable) -> list[ClaimResult]:
    """Tests the claims of a comparison.

    Args:
        settings: Settings of the comparison, with claims and seeds.
        spec: Spec of the dataset.
        table: Numbers of the comparison.

    Returns:
        The results, in the order of the claims.
    """
    outputs = {output.name: output for output in spec.outputs}
    results = [
        _test_claim(claim, claim.metric or main_metric(spec, outputs[claim.output]), settings.seeds, table.cells)
        for claim in settings.claims
    ]
    corrected = holm([result.p for result in results])
    return [dataclasses.replace(result, p=p) for result, p in zip(results, corrected, strict=True)]


def _test_claim(
    claim: Claim, metric: str, seeds: Sequence[int], cells: Mapping[tuple[str, str, str], Cell]
) -> ClaimResult:
    rows = (claim.row, *claim.over)
    values = {row: cells[row, claim.output, metric].values for row in rows if (row, claim.output, metric) in cells}
    if not all(row in values and complete(values[row], seeds) for row in rows):
        return ClaimResult(claim, metric)
    margin = claim.margin if HIGHER_IS_BETTER[metric] else -claim.margin
    row_values = {seed: value + margin for seed, value in values[claim.row].items()}
    advantages = {row: _advantage(row_values, values[row], HIGHER_IS_BETTER[metric]) for row in claim.over}
    p_values = {row: p_value(row_values, values[row]) for row in claim.over}
    best_other = min(claim.over, key=lambda row: advantages[row])
    if advantages[best_other] > 0:
        p = float(np.max(list(p_values.values())))
    else:
        p = float(np.minimum(1, len(claim.over) * p_values[best_other]))
    return ClaimResult(claim, metric, best_other, advantages[best_other] - claim.margin, p)


def _advantage(values: Values, others: Values, higher_is_better: bool) -> float:
    mean = float(np.mean([value - other for value, other in paired(values, others).values()]))
    return mean if higher_is_better else -mean
