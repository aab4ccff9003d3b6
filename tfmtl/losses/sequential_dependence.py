"""Penalties that hold the predictions of a chain of tasks to the dependence between the tasks."""

from collections.abc import Mapping
from typing import Literal

from keras import ops

from tfmtl.losses.batch_mean import batch_mean, mask_values
from tfmtl.losses.importance import difference_importance
from tfmtl.types import Labels, Tensor, TensorLike


class SequentialDependenceLoss:
    """Penalty on the difference between the predictions of each task and of its previous task.

    The penalty is `sum_i sigma_i * mean((f_{i'} - f_i - (o_{i'} - o_i))^2)` over the tasks i that follow a task i',
    with predicted probabilities f on the entire space and labels o. `o_{i'} - o_i` is the label of the event "i'
    happened and i did not", whose probability is `f_{i'} - f_i` (equation 3 of APEM). The penalty therefore trains the
    difference itself, whereas `behavioral_calibrator` only requires that it is not negative. It applies to any model
    of a chain or a tree of tasks.

    On the conditional space, only rows with `o_{i'} = 1` contribute, as in a log without the other rows. Each squared
    difference is multiplied by the weight r of Theorem 3.1 (`tfmtl.losses.difference_importance`), and the sum is
    divided by the number of all rows: the theorem's factor P(o_{i'}=1) is the share of such rows in the batch. Labels
    of rows that do not contribute may be NaN.

    Args:
        follows: Name of the previous task of each task that follows one.
        strength: Strength sigma by the name of the task that follows (0 for a task that is not named), or one number
            for all pairs.
        space: Rows on which the penalty is computed: "entire" for all rows, "conditional" for rows whose previous label
            is 1.
        max_weight: Upper bound of the weight r.

    Call arguments:
        labels: Labels o by task, each `(batch,)`.
        probabilities: Probabilities f by task, each `(batch,)`.
        sample_weight: Weights of the rows, `(batch,)`; 1 by default.

    Returns:
        A float32 scalar; 0 if the weights sum to 0.

    Raises:
        ValueError: If a strength is negative or names a task that does not follow another, `space` is unknown, or
            `max_weight` is below 1.

    Example:
        >>> from tfmtl.losses import SequentialDependenceLoss
        >>> penalty = SequentialDependenceLoss({"buy": "click"})
        >>> loss = penalty(
        ...     labels={"click": [1.0], "buy": [0.0]}, probabilities={"click": [0.5], "buy": [0.25]}
        ... )
        >>> float(loss)  # (0.5 - 0.25 - (1 - 0))^2
        0.5625

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), equations 21 to 23, Theorem 3.1
    """

    def __init__(
        self,
        follows: Mapping[str, str],
        strength: float | Mapping[str, float] = 1.0,
        space: Literal["entire", "conditional"] = "entire",
        max_weight: float = 100.0,
    ) -> None:
        strengths = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(follows, strength)
        unknown = [task for task in strengths if task not in follows]
        if unknown:
            raise ValueError(f"`strength` should name tasks that follow another. Received: {', '.join(unknown)}")
        if any(value < 0 for value in strengths.values()):
            raise ValueError(f"`strength` should be at least 0. Received: {strength}")
        if space not in ("entire", "conditional"):
            raise ValueError(f"`space` should be entire or conditional. Received: {space!r}")
        if max_weight < 1:
            raise ValueError(f"`max_weight` should be at least 1. Received: {max_weight}")
        self.follows = dict(follows)
        self.strength = strengths
        self.space = space
        self.max_weight = max_weight

    def __call__(
        self, labels: Labels, probabilities: Mapping[str, TensorLike], sample_weight: TensorLike | None = None
    ) -> Tensor:
        total = ops.zeros((), "float32")
        for task, previous in self.follows.items():
            if self.strength.get(task):
                o, o_previous = (_task_labels(labels[name], sample_weight) for name in (task, previous))
                f, f_previous = (ops.cast(probabilities[name], "float32") for name in (task, previous))
                if self.space == "conditional":
                    o = mask_values(o, o_previous)
                squares = ops.square(f_previous - f - (o_previous - o))
                if self.space == "conditional":
                    squares *= o_previous * difference_importance(o, f_previous, f, self.max_weight)
                total += self.strength[task] * batch_mean(squares, sample_weight)
        return total


def _task_labels(labels: TensorLike, sample_weight: TensorLike | None) -> Tensor:
    """Returns the labels in float32, with 0 for the labels of rows of weight 0."""
    return ops.cast(labels, "float32") if sample_weight is None else mask_values(labels, sample_weight)


def behavioral_calibrator(
    follows: Mapping[str, str], probabilities: Mapping[str, TensorLike], sample_weight: TensorLike | None = None
) -> Tensor:
    """Computes a penalty on predictions of a task that exceed the predictions of its previous task.

    The penalty is `sum_i mean(max(f_i - f_{i'}, 0))` over the tasks i that follow a task i', with predicted
    probabilities f on the entire space.

    Args:
        follows: Name of the previous task of each task that follows one.
        probabilities: Probabilities f by task, each `(batch,)`.
        sample_weight: Weights of the rows, `(batch,)`; 1 by default.

    Returns:
        A float32 scalar; 0 if the weights sum to 0.

    Example:
        >>> from tfmtl.losses import behavioral_calibrator
        >>> float(behavioral_calibrator({"buy": "click"}, {"click": [0.5, 0.5], "buy": [0.75, 0.25]}))
        0.125

    References:
        - [Xi et al., 2021, Modeling the Sequential Dependence among Audience Multi-step Conversions with Multi-task
          Learning in Targeted Display Advertising](https://arxiv.org/abs/2105.08489), equation 14
    """
    total = ops.zeros((), "float32")
    for task, previous in follows.items():
        f, f_previous = (ops.cast(probabilities[name], "float32") for name in (task, previous))
        total += batch_mean(ops.relu(f - f_previous), sample_weight)
    return total
