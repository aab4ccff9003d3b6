"""Optimizer of the model that a training starts from, whose state the training continues."""

import dataclasses
from typing import Any

import keras

from tfmtl.models import MultiTaskModel
from tfmtl.training.distribution import optimizer_steps
from tfmtl.training.vocabularies import Tokens
from tfmtl.training.warm_optimizer import warm_start_optimizer


@dataclasses.dataclass(frozen=True)
class KeptOptimizer:
    """State of the optimizer of an earlier model, for the first stage of a training.

    Attributes:
        previous: The earlier model, compiled.
        vocabularies: Tokens of the earlier model by feature.
    """

    previous: MultiTaskModel
    vocabularies: Tokens

    @property
    def steps(self) -> int:
        """Number of steps that the optimizer has made, at which a schedule of the learning rate begins."""
        return optimizer_steps(self.previous.optimizer)

    def restore(self, optimizer: keras.optimizers.Optimizer, model: Any, vocabularies: Tokens) -> None:
        """Copies the state to the optimizer of a new model.

        Args:
            optimizer: Optimizer of the new model.
            model: The new model.
            vocabularies: Tokens of the new model by feature.
        """
        warm_start_optimizer(optimizer, model, vocabularies, self.previous, self.vocabularies)
