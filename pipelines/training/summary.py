"""Summary of a training, and the error of one that diverged without weights to keep."""

import json
import os
import time
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.training_settings import TrainingSettings
from tfmtl.config import ConfigError
from tfmtl.training.best_epoch import Divergence

SUMMARY = "training.json"
"""Name of the summary in a `model_run` folder."""


class TrainingDiverged(ConfigError):
    """A training whose loss became NaN or infinite before any epoch was evaluated, so that there is no model to keep.

    Attributes:
        exit_code: Exit code of a program that ends with this error: that of a refused model.
    """

    exit_code = 3


class Summary:
    """Summary of a training, which a `model_run` folder keeps as `training.json`.

    Its fields are `seconds` (of this process), `resumed_step` (the step of the checkpoint from which training
    continued, or null), `diverged` (whether a loss became NaN or infinite), and, if so, `diverged_step` and
    `diverged_epoch` of that stage and `kept_epoch`, the epoch whose weights the model has, 0 for those of the first
    stage.

    Args:
        training: Settings of the training.
    """

    def __init__(self, training: TrainingSettings):
        self._training = training
        self._start = time.monotonic()
        self._divergence: Divergence | None = None

    def note(self, divergence: Divergence) -> None:
        """Notes and prints that a loss was not finite.

        Args:
            divergence: Where it happened.

        Raises:
            TrainingDiverged: If there are no weights to keep.
        """
        self._divergence = divergence
        where = f"at step {divergence.step} in epoch {divergence.epoch}"
        if divergence.kept_epoch is None:
            raise self._error(f"The loss became NaN or infinite {where}, before an epoch was evaluated")
        kept = f"epoch {divergence.kept_epoch}" if divergence.kept_epoch else "the first stage"
        print(f"    DIVERGED: the loss became NaN or infinite {where}; the weights of {kept} are kept")

    def check_weights(self, model: Any) -> None:
        """Checks that all weights are finite.

        Args:
            model: The trained model.

        Raises:
            TrainingDiverged: If a weight is NaN or infinite.
        """
        for weight in model.weights:
            values = np.asarray(weight)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise self._error(f"Weights of {weight.path} are NaN or infinite")

    def write(self, folder: str, resumed_step: int | None) -> None:
        """Writes the file.

        Args:
            folder: Folder `model_run`.
            resumed_step: Step of the checkpoint from which training continued; None if it began anew.
        """
        fields: dict[str, Any] = {"seconds": round(time.monotonic() - self._start, 3), "resumed_step": resumed_step}
        fields["diverged"] = self._divergence is not None
        if self._divergence is not None:
            fields["diverged_step"] = self._divergence.step
            fields["diverged_epoch"] = self._divergence.epoch
            fields["kept_epoch"] = self._divergence.kept_epoch
        with tf.io.gfile.GFile(os.path.join(folder, SUMMARY), "w") as file:
            json.dump(fields, file, indent=1)

    def _error(self, what: str) -> TrainingDiverged:
        advice = "Lower it, or set training.optimizer.clip_norm: 1.0"
        return TrainingDiverged(
            f"training.learning_rate: should be one with which the loss stays finite. "
            f"Received: {self._training.learning_rate}\n{what}, and no model is kept. {advice}."
        )


def read_summary(folder: str) -> dict[str, Any]:
    """Reads the file `training.json`; empty if the folder has none because older code trained the model.

    Args:
        folder: Folder `model_run` of a Trainer.
    """
    path = os.path.join(folder, SUMMARY)
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        summary: dict[str, Any] = json.load(file)
    return summary
