"""The penalty that holds predictions of a chain of tasks to the chain's dependence."""

from collections.abc import Mapping
from typing import Any, Literal

from keras import ops

from tfmtl.losses.batch_mean import batch_mean
from tfmtl.losses.importance import difference_importance


class SequentialDependenceLoss:
    """`sum_i sigma_i * mean((f_{i'} - f_i - (o_{i'} - o_i))^2)` over the tasks i that follow a task i'.

    f are probabilities on the entire space, o the labels. `o_{i'} - o_i` is the label of "i' happened and i did not",
    whose probability is `f_{i'} - f_i`, so the penalty teaches the difference itself (equation 3), where a calibrator
    (`behavioral_calibrator`) only asks that it is not negative. Any model of a chain or a tree of tasks can use it.

    On the `conditional` space only rows with `o_{i'} = 1` are seen, as when there is no log of the others. Theorem 3.1's
    weight corrects it: the sum of `r (..)^2` over those rows, by the number of all rows, with
    r of `tfmtl.losses.difference_importance`; the theorem's factor P(o_{i'}=1) is the batch's own share of such rows.

    Args:
        follows: the task before, of each task that follows one.
        strength: sigma by the name of the task that follows (0 if it is not named), or one number for all pairs.
        space: on which rows the penalty is taken.
        max_weight: upper bound of r.

    Call arguments:
        labels: o, `(batch,)` by task.
        probabilities: f, `(batch,)` by task.
        sample_weight: `(batch,)`; all rows weigh 1 without it.

    Returns:
        A float32 scalar, 0 where no row has a weight.

    Raises:
        ValueError: if a strength is below 0 or is that of a task which follows none.

    Example:
        >>> penalty = SequentialDependenceLoss({"buy": "click"})
        >>> float(penalty({"click": [1.0], "buy": [0.0]}, {"click": [0.5], "buy": [0.25]}))
        0.5625

    References:
        - APEM, equations 21 to 23, Theorem 3.1
    """

    def __init__(
        self,
        follows: Mapping[str, str],
        strength: float | Mapping[str, float] = 1.0,
        space: Literal["entire", "conditional"] = "entire",
        max_weight: float = 100.0,
    ):
        named = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(follows, strength)
        unknown = [task for task in named if task not in follows]
        if unknown:
            raise ValueError(f"`strength` should name tasks that follow another. Received: {', '.join(unknown)}")
        if any(value < 0 for value in named.values()):
            raise ValueError(f"`strength` should be at least 0. Received: {strength}")
        if space not in ("entire", "conditional"):
            raise ValueError(f"`space` should be entire or previous. Received: {space!r}")
        if max_weight < 1:
            raise ValueError(f"`max_weight` should be at least 1. Received: {max_weight}")
        self.follows = dict(follows)
        self.strength = named
        self.space = space
        self.max_weight = max_weight

    def __call__(self, labels: Mapping[str, Any], probabilities: Mapping[str, Any], sample_weight: Any = None) -> Any:
        total = ops.zeros((), "float32")
        for task, previous in self.follows.items():
            if self.strength.get(task):
                o, o_previous = (ops.cast(labels[name], "float32") for name in (task, previous))
                f, f_previous = (ops.cast(probabilities[name], "float32") for name in (task, previous))
                squares = ops.square(f_previous - f - (o_previous - o))
                if self.space == "conditional":
                    squares *= o_previous * difference_importance(o, f_previous, f, self.max_weight)
                total += self.strength[task] * batch_mean(squares, sample_weight)
        return total


def behavioral_calibrator(
    follows: Mapping[str, str], probabilities: Mapping[str, Any], sample_weight: Any = None
) -> Any:
    """`sum_i mean(max(f_i - f_{i'}, 0))` over the tasks i that follow a task i': no more events than the task before.

    Args:
        follows, probabilities, sample_weight: as for `SequentialDependenceLoss`.

    Returns:
        A float32 scalar.

    References:
        - [Xi et al., 2021, Modeling the Sequential Dependence among Audience Multi-step Conversions (AITM)]
          (https://arxiv.org/abs/2105.08489), equation 14
    """
    total = ops.zeros((), "float32")
    for task, previous in follows.items():
        f, f_previous = (ops.cast(probabilities[name], "float32") for name in (task, previous))
        total += batch_mean(ops.relu(f - f_previous), sample_weight)
    return total
