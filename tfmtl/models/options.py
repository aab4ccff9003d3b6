"""Options that every model has."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """Hyper-parameters that do not depend on the architecture.

    Attributes:
        embedding_dim: width of a field's embedding.
        embedding_l2: factor of the mean over the batch of `sum_f ||h_f||^2`, which is added to the loss; it decays
            only the rows that a batch looks up.
        space: on which rows the head of a task that follows another is trained. `entire`: on all rows, the head
            predicts P(y=1, z=1 | x). `previous`: on the rows where the task it follows is positive, it predicts
            P(z=1 | y=1, x).
        task_weights: factor of each task's loss by name; 1 for a task that is not named.
    """

    embedding_dim: int = 16
    embedding_l2: float = 0.0
    space: Literal["entire", "previous"] = "entire"
    task_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        require(self.embedding_dim >= 1, "embedding_dim", "at least 1", self.embedding_dim)
        require(self.embedding_l2 >= 0, "embedding_l2", "at least 0", self.embedding_l2)
        for task, weight in self.task_weights.items():
            require(weight >= 0, ("task_weights", task), "at least 0", weight)
