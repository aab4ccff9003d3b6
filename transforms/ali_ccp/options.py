"""Options of the ingestion of Ali-CCP."""

import dataclasses

from tfmtl.config import require
from transforms.ali_ccp.fields import PREPARATIONS, Preparation


@dataclasses.dataclass(frozen=True)
class IngestOptions:
    """Selection of fields, of values and of the rows of the eval split.

    Attributes:
        prepare: Name of the preparation, one of `PREPARATIONS`.
        eval: Share of the train files' rows that form the eval split (`transforms.ali_ccp.skeleton.is_eval_row`).
        seed: Seed of the eval split.
        max_values: Largest number of tokens of a row in a field with several values, those with the largest values; no
            limit by default.
    """

    prepare: str = "all"
    eval: float = 0.1
    seed: int = 0
    max_values: int | None = None

    def __post_init__(self) -> None:
        require(self.prepare in PREPARATIONS, "prepare", f"one of {', '.join(PREPARATIONS)}", self.prepare)
        require(0 <= self.eval < 1, "eval", "from 0 to below 1", self.eval)
        require(self.seed >= 0, "seed", "0 or more", self.seed)
        if self.max_values is not None:
            require(self.max_values >= 1, "max_values", "at least 1", self.max_values)
            expected = f"omitted, because {self.prepare} has no lists"
            require(bool(self.preparation.lists), "max_values", expected, self.max_values)

    @property
    def preparation(self) -> Preparation:
        """Preparation that `prepare` names."""
        return PREPARATIONS[self.prepare]
