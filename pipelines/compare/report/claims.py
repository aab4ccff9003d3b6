"""What papers claim, judged by a comparison's runs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.compare.metrics.evaluate import HIGHER_IS_BETTER, main_metric
from pipelines.compare.metrics.significance import Values, complete, holm, p_value, paired
from pipelines.compare.plan.settings import Claim, CompareSettings
from pipelines.compare.report.table import Cell, ResultTable
from tfmtl.spec import DatasetSpec

HOLDS, NOT_SHOWN, FAILS, NO_RUNS = "holds", "not shown", "does not hold", "not run"
LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class ClaimResult:
    """A claim, and what was measured.

    That a row is better than several others is shown by an intersection-union test: it has to be better than each of
    them, so that the largest p of the paired t-tests counts. That it is not takes one that is better: the p against the
    best of them counts, times their number (Bonferroni), for it was chosen by its mean.

    Attributes:
        claim: of the settings.
        metric: by which it is judged.
        against: the best of the rows that are to be beaten, by the mean; empty where a row or a seed is missing.
        advantage: over that one, of the means: the smallest over all of them; above 0 is better, of errors too.
        p: of the two-sided tests, with Holm's correction over all claims; NaN where there is no test.

    References:
        - Berger, 1982, Multiparameter Hypothesis Testing and Acceptance Sampling (Technometrics)
    """

    claim: Claim
    metric: str
    against: str = ""
    advantage: float = math.nan
    p: float = math.nan

    @property
    def word(self) -> str:
        """`holds`: significantly better than each; `does not hold`: significantly worse than the best of them.

        Else `not shown`, or `not run` where a row or a seed is missing.
        """
        if math.isnan(self.advantage):
            return NO_RUNS
        if not self.p < LEVEL:
            return NOT_SHOWN
        return HOLDS if self.advantage > 0 else FAILS


def judge(settings: CompareSettings, spec: DatasetSpec, table: ResultTable) -> list[ClaimResult]:
    """The verdict on each claim, in their order.

    Args:
        settings: claims, and the seeds that each row has to have.
        spec: of the data set.
        table: the numbers.
    """
    outputs = {output.name: output for output in spec.outputs}
    found = [
        _judged(claim, claim.metric or main_metric(spec, outputs[claim.output]), settings.seeds, table.cells)
        for claim in settings.claims
    ]
    corrected = holm([verdict.p for verdict in found])
    return [dataclasses.replace(verdict, p=p) for verdict, p in zip(found, corrected, strict=True)]


def _judged(claim: Claim, metric: str, seeds: Sequence[int], cells: Mapping[tuple[str, str, str], Cell]) -> ClaimResult:
    rows = (claim.row, *claim.over)
    values = {row: cells[row, claim.output, metric].values for row in rows if (row, claim.output, metric) in cells}
    if not all(row in values and complete(values[row], seeds) for row in rows):
        return ClaimResult(claim, metric)
    own = values[claim.row]
    ahead = {row: _ahead(own, values[row], HIGHER_IS_BETTER[metric]) for row in claim.over}
    p_values = {row: p_value(own, values[row]) for row in claim.over}
    against = min(claim.over, key=lambda row: ahead[row])
    better = ahead[against] > 0
    p = float(np.max(list(p_values.values())) if better else np.minimum(1, len(claim.over) * p_values[against]))
    return ClaimResult(claim, metric, against, ahead[against], p)


def _ahead(own: Values, other: Values, higher_is_better: bool) -> float:
    mean = float(np.mean([one - against for one, against in paired(own, other).values()]))
    return mean if higher_is_better else -mean
