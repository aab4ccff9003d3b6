"""What a model's options ask of the predictions of tasks that follow one another."""

from collections.abc import Mapping
from typing import Any, Literal

from keras import ops

from tfmtl.losses.importance import label_importance
from tfmtl.losses.sequential_dependence import SequentialDependenceLoss, behavioral_calibrator
from tfmtl.models.core.heads import to_outputs
from tfmtl.models.core.options import ModelOptions
from tfmtl.spec import CONDITIONAL, ENTIRE, DatasetSpec


class ChainLosses:
    """The losses of the options `dependence` and `calibrator`, on the heads' predictions on the entire space.

    Args:
        spec: its tasks and which of them follow which.
        options: of the model.
    """

    def __init__(self, spec: DatasetSpec, options: ModelOptions):
        self._spec = spec
        self._follows = {task.name: task.follows for task in spec.tasks if task.follows}
        self._calibrator = options.calibrator
        space: Literal["entire", "conditional"] = CONDITIONAL if options.local_space else ENTIRE
        self._dependence = SequentialDependenceLoss(self._follows, options.dependence, space, options.max_weight)

    @property
    def names(self) -> tuple[str, ...]:
        """The losses that the options ask for."""
        dependence = any(self._dependence.strength.values())
        asked = {"dependence_loss": dependence, "calibrator_loss": bool(self._calibrator and self._follows)}
        return tuple(name for name, is_asked in asked.items() if is_asked)

    def __call__(
        self, spaces: Mapping[str, str], labels: Mapping[str, Any], logits: Mapping[str, Any], sample_weight: Any = None
    ) -> dict[str, Any]:
        """Each loss by name, already times its strength."""
        if not self.names:
            return {}
        outputs = to_outputs(self._spec, spaces, logits)
        probabilities = {task.name: outputs[task.output] for task in self._spec.tasks}
        losses = {}
        if "dependence_loss" in self.names:
            losses["dependence_loss"] = self._dependence(labels, probabilities, sample_weight)
        if "calibrator_loss" in self.names:
            calibrator = behavioral_calibrator(self._follows, probabilities, sample_weight)
            losses["calibrator_loss"] = self._calibrator * calibrator
        return losses


def local_weights(
    task: str, follows: str, labels: Mapping[str, Any], logits: Mapping[str, Any], weights: Any, max_weight: float
) -> Any:
    """The weight of each row of a task that is trained on its local space: 0 where the previous label is 0.

    The mean with these weights is that of Theorem 2.1 of APEM: the theorem's factor P(t'=1) is a constant, and the
    weights add up to its inverse in expectation.

    Args:
        task: has a head on the entire space.
        follows: the task that it follows.
        labels, logits: by task.
        weights: of the rows, or None.
        max_weight: upper bound of an importance.
    """
    previous, current = (ops.sigmoid(ops.cast(logits[name], "float32")) for name in (follows, task))
    importance = label_importance(labels[task], previous, current, max_weight)
    local = ops.cast(labels[follows], "float32") * importance
    return local if weights is None else local * weights
