"""Losses on the predictions of a chain of tasks, as the options `dependence` and `calibrator` ask for."""

from collections.abc import Mapping
from typing import Literal

from tfmtl.losses.sequential_dependence import SequentialDependenceLoss, behavioral_calibrator
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.heads import task_outputs
from tfmtl.models.options.base import ModelOptions
from tfmtl.spec import CONDITIONAL, ENTIRE, DatasetSpec
from tfmtl.types import Labels, Logits, Tensor


class ChainLosses:
    """Losses of the options `dependence` and `calibrator`, on predictions on the entire space.

    Args:
        spec: Tasks, and which of them follow another.
        options: Options of the model.
    """

    def __init__(self, spec: DatasetSpec, options: ModelOptions):
        self._spec = spec
        self._follows = {task.name: task.follows for task in spec.tasks if task.follows and task.kind == "binary"}
        self._calibrator = options.calibrator if self._follows else 0.0
        space: Literal["entire", "conditional"] = CONDITIONAL if options.local_space else ENTIRE
        self._dependence: dict[str, SequentialDependenceLoss] = {}
        for task, previous in self._follows.items():
            by_task = options.dependence
            strength = by_task.get(task, 0.0) if isinstance(by_task, Mapping) else by_task
            if strength:
                loss = SequentialDependenceLoss({task: previous}, strength, space, options.max_weight)
                self._dependence[task] = loss

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the losses that the options ask for."""
        requested = {"dependence_loss": bool(self._dependence), "calibrator_loss": bool(self._calibrator)}
        return tuple(name for name, is_requested in requested.items() if is_requested)

    def __call__(
        self, spaces: Mapping[str, str], labels: Labels, logits: Logits, weights: RowWeights
    ) -> dict[str, Tensor]:
        """Computes the losses, each multiplied by its strength.

        Args:
            spaces: Space of each task's head, by task name.
            labels: Prepared labels by task name, each `(batch,)`.
            logits: Logits by task name, each `(batch,)`.
            weights: Weights of the rows.

        Returns:
            Scalars by name.
        """
        if not self.names:
            return {}
        outputs = task_outputs(self._spec, spaces, logits)
        probabilities = {task.name: outputs[task.output] for task in self._spec.tasks}
        losses = {}
        if self._dependence:
            losses["dependence_loss"] = sum(
                loss(labels, probabilities, weights.of_pair(task, self._follows[task]))
                for task, loss in self._dependence.items()
            )
        if self._calibrator:
            losses["calibrator_loss"] = self._calibrator * sum(
                behavioral_calibrator({task: previous}, probabilities, weights.sample_of_pair(task, previous))
                for task, previous in self._follows.items()
            )
        return losses
