"""What papers claim, judged by a comparison's runs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from pipelines.compare.evaluate import HIGHER_IS_BETTER, main_metric
from pipelines.compare.settings import Claim
from pipelines.compare.statistics import best, holm, p_value, paired
from pipelines.compare.table import Cell, ResultTable
from tfmtl.spec import DatasetSpec

HOLDS, NOT_SHOWN, FAILS, NO_RUNS = "holds", "not shown", "does not hold", "not run"
LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim, and what was measured.

    Attributes:
        claim: of the settings.
        metric: by which it is judged.
        against: the best of the rows that are to be beaten, by the mean; empty where none has runs.
        advantage: of the means over the seeds that both have; above 0 is better, of errors too.
        p: of the two-sided paired t-test, with Holm's correction over all claims.
    """

    claim: Claim
    metric: str
    against: str = ""
    advantage: float = math.nan
    p: float = math.nan

    @property
    def word(self) -> str:
        """`holds`: better, and significantly so; `not shown`: better, or no difference; `does not hold`: worse."""
        if math.isnan(self.advantage):
            return NO_RUNS
        if self.advantage < 0:
            return FAILS
        return HOLDS if self.p < LEVEL else NOT_SHOWN


def judge(claims: Sequence[Claim], spec: DatasetSpec, table: ResultTable) -> list[Verdict]:
    """The verdict on each claim, in their order.

    Args:
        claims: of the settings.
        spec: of the data set.
        table: the numbers.
    """
    outputs = {output.name: output for output in spec.outputs}
    found = [_judged(claim, claim.metric or main_metric(spec, outputs[claim.output]), table.cells) for claim in claims]
    corrected = holm([verdict.p for verdict in found])
    return [dataclasses.replace(verdict, p=p) for verdict, p in zip(found, corrected, strict=True)]


def _judged(claim: Claim, metric: str, cells: Mapping[tuple[str, str, str], Cell]) -> Verdict:
    own = cells.get((claim.row, claim.output, metric))
    others = {row: cells[row, claim.output, metric] for row in claim.over if (row, claim.output, metric) in cells}
    higher = HIGHER_IS_BETTER[metric]
    against = best(tuple(others), {row: cell.summary.mean for row, cell in others.items()}, higher)
    if own is None or against is None:
        return Verdict(claim, metric)
    pairs = list(paired(own.values, others[against].values).values())
    ahead = sum(one - other for one, other in pairs) / len(pairs) if pairs else math.nan
    p = p_value(own.values, others[against].values)
    return Verdict(claim, metric, against, ahead if higher else -ahead, p)
