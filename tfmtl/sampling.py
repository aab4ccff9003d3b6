"""Sampling of negative training rows."""

import dataclasses

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class NegativeSampling:
    """Share of the negative rows of a task that a model is trained on.

    Rows of the training split whose label of the task is 0 are kept if a hash of their key is below the share; the
    eval and the test split stay whole. A model predicts the probabilities of all rows: if `r` is the share and `p` the
    probability of the task on all rows, that on the sampled rows is `p / (p + r (1 - p))`, with which the loss is
    computed. This is the inverse of `p = q / (q + (1 - q) / r)` for a probability `q` on the sampled rows.

    Attributes:
        task: Name of a binary task that all other tasks follow, directly or along the chain.
        negatives: Share of the negative rows that are kept, above 0 and below 1.
        seed: Seed of the hash.
        key: Columns whose values are hashed, so that rows with equal values are kept or left out together; all columns
            that are written if empty.

    Example:
        >>> from tfmtl import DatasetSpec
        >>> spec = DatasetSpec.from_yaml('''
        ... name: shop
        ... features: [{name: user, kind: categorical}]
        ... tasks: [{name: click, label: clicked}]
        ... sampling: {task: click, negatives: 0.1}
        ... ''')
        >>> spec.sampling.negatives
        0.1
    """

    task: str
    negatives: float
    seed: int = 0
    key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(0 < self.negatives < 1, "negatives", "above 0 and below 1", self.negatives)
        require(self.seed >= 0, "seed", "0 or more", self.seed)
