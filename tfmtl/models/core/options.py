"""Options that every model has."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal

from tfmtl.config import require
from tfmtl.model_inputs import sequences
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """Hyper-parameters that do not depend on the architecture.

    Attributes:
        embedding_dim: width of a field's embedding.
        embedding_l2: factor of the mean over the batch of `sum_f ||h_f||^2`, which is added to the loss; it decays
            only the rows that a batch looks up.
        sequences: how the places of a sequence, such as days, become fields. `mean`: one field, the mean of those that
            are present, as of any bag; which day was which is lost. `concat`: a field for each place, side by side from
            the oldest to the most recent, an absent one 0. A model to which the fields are a set sees more of them, but
            no order.
        space: on which rows the head of a task that follows another is trained. `entire`: on all rows, the head
            predicts P(y=1, z=1 | x). `conditional`: on the rows where the task it follows is positive, it predicts
            P(z=1 | y=1, x).
        weight_decay: `d` adds `d / 2 * sum w^2` over the trainable weights outside the embedding tables, whose gradient
            is `d * w`: the "weight decay" of Adam as papers mean it. Embeddings have `embedding_l2`.
        task_weights: factor of each task's loss by name; 1 for a task that is not named.
        weighting: `fixed`: the loss is `sum_k w_k L_k`. `uncertainty`: each `w_k L_k` is weighed by a trainable
            variance (`tfmtl.losses.UncertaintyWeighting`).
        focal_gamma: gamma of the focal loss of binary tasks, `(1 - p_t)^gamma` times the cross-entropy; 0 is the
            cross-entropy itself.
        positive_weights: factor of the loss of a binary task's positive rows, by task; 1 for a task that is not named.
            It moves predictions away from the frequencies of the data.
        negative_weights: the same for its negative rows.
        dependence: strength of the penalty on `(f_prev - f) - (o_prev - o)` of each task that follows another, on the
            entire space (`tfmtl.losses.SequentialDependenceLoss`): by task (0 if it is not named), or one number.
        calibrator: strength of the penalty on `max(f - f_prev, 0)` (`tfmtl.losses.behavioral_calibrator`).
        local_space: heads predict on the entire space, but a task that follows another is trained on the rows alone
            where that one is positive, as its `dependence` is; importance weights make up for the others (Theorems 2.1
            and 3.1 of APEM), see `tfmtl.losses.label_importance`.
        max_weight: upper bound of an importance weight.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"max_importance": "max_weight"}
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"space": {"previous": "conditional"}}

    embedding_dim: int = 16
    embedding_l2: float = 0.0
    sequences: Literal["mean", "concat"] = "mean"
    space: Literal["entire", "conditional"] = "entire"
    weight_decay: float = 0.0
    task_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    weighting: Literal["fixed", "uncertainty"] = "fixed"
    focal_gamma: float = 0.0
    positive_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    negative_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    dependence: float | Mapping[str, float] = 0.0
    calibrator: float = 0.0
    local_space: bool = False
    max_weight: float = 100.0

    def __post_init__(self):
        require(self.embedding_dim >= 1, "embedding_dim", "at least 1", self.embedding_dim)
        require(self.space in ("entire", "conditional"), "space", "entire or conditional", self.space)
        require(self.embedding_l2 >= 0, "embedding_l2", "at least 0", self.embedding_l2)
        require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        require(self.focal_gamma >= 0, "focal_gamma", "at least 0", self.focal_gamma)
        for name in ("task_weights", "positive_weights", "negative_weights"):
            for task, weight in getattr(self, name).items():
                require(weight >= 0, (name, task), "at least 0", weight)
        for task, weight in self.task_weights.items():
            free = self.weighting == "fixed" or weight > 0  # Of a loss that is 0, the best variance is 0.
            require(free, ("task_weights", task), "above 0 where `weighting` is uncertainty", weight)

        strengths = self.dependence if isinstance(self.dependence, Mapping) else {"": self.dependence}
        for task, strength in strengths.items():
            require(strength >= 0, ("dependence", task) if task else "dependence", "at least 0", strength)
        require(self.calibrator >= 0, "calibrator", "at least 0", self.calibrator)
        require(
            not self.local_space or self.space == "entire", "local_space", "false where `space` is conditional", True
        )
        require(self.max_weight >= 1, "max_weight", "at least 1", self.max_weight)

    def unpooled_sequences(self, spec: DatasetSpec) -> tuple[str, ...]:
        """The sequences of which each place is a field."""
        return sequences(spec) if self.sequences == "concat" else ()

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Raises `FieldError` where an option names a task that the spec does not have, or that has no classes."""
        tasks = {task.name: task for task in spec.tasks}
        for name in ("task_weights", "positive_weights", "negative_weights"):
            for task in getattr(self, name):
                require(task in tasks, (name, task), "a task of the spec", task)
        for name in ("positive_weights", "negative_weights"):
            for task in getattr(self, name):
                require(tasks[task].kind == "binary", (name, task), "a binary task", task)
        for task in self.dependence if isinstance(self.dependence, Mapping) else ():
            follows = task in tasks and tasks[task].follows is not None
            require(follows, ("dependence", task), "a task of the spec that follows another", task)
