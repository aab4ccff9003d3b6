"""How Ali-CCP is ingested."""

import dataclasses

from tfmtl.config import require
from transforms.ali_ccp.fields import PREPARATIONS, Preparation


@dataclasses.dataclass(frozen=True)
class IngestOptions:
    """What is kept of the raw files, and which rows validate.

    Attributes:
        prepare: a name of `PREPARATIONS`.
        eval: share of the rows of the train files that validate (`transforms.ali_ccp.skeleton.validates`).
        seed: another one, other rows that validate.
        max_values: of each list of a row, how many tokens are kept, those of the largest values; all by default.
    """

    prepare: str = "all"
    eval: float = 0.1
    seed: int = 0
    max_values: int | None = None

    def __post_init__(self):
        require(self.prepare in PREPARATIONS, "prepare", f"one of {', '.join(PREPARATIONS)}", self.prepare)
        require(0 <= self.eval < 1, "eval", "from 0 to below 1", self.eval)
        require(self.seed >= 0, "seed", "0 or more", self.seed)
        if self.max_values is not None:
            require(self.max_values >= 1, "max_values", "at least 1", self.max_values)
            require(
                bool(self.preparation.lists),
                "max_values",
                f"left out, as {self.prepare} keeps no lists",
                self.max_values,
            )

    @property
    def preparation(self) -> Preparation:
        """Of that name."""
        return PREPARATIONS[self.prepare]
