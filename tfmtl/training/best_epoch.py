"""Callback of early stopping, which also stops a training whose loss is no longer finite."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfmtl.training.distribution import optimizer_steps


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Description of a training whose loss became NaN or infinite.

    Attributes:
        step: Number of steps of the stage after which the loss was not finite.
        epoch: Number of the epoch, from 1.
        kept_epoch: Number of the evaluated epoch whose weights were kept; 0 for the weights with which a stage of
            fine-tuning began; None if there were no weights to keep.

    Example:
        >>> from tfmtl.training.best_epoch import Divergence
        >>> Divergence(step=812, epoch=3, kept_epoch=2).kept_epoch
        2
    """

    step: int
    epoch: int
    kept_epoch: int | None


class BestEpoch(keras.callbacks.EarlyStopping):
    """Callback that ends training after epochs without improvement, and restores the weights of the best epoch.

    It is `keras.callbacks.EarlyStopping` with two additions. A loss that is NaN or infinite, of training or validation,
    ends training at once, and that epoch is never the best one. Another metric may be NaN, such as the AUC of labels of
    one class. Its state can be saved and restored.

    Args:
        monitor: Name of the metric.
        mode: `max` or `min`.
        patience: Number of epochs without improvement after which training stops.
        keep_initial: Restores the weights of the beginning if no epoch is evaluated with a finite metric.

    Attributes:
        divergence: Description of the loss that was not finite; None if all were.

    Example:
        >>> import keras, numpy as np
        >>> from tfmtl.training.best_epoch import BestEpoch
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(1e30), "mse", run_eagerly=True)
        >>> best = BestEpoch("loss", "min", patience=1)
        >>> history = model.fit(np.ones((8, 2)), np.ones(8), epochs=9, callbacks=[best], verbose=0)
        >>> best.divergence
        Divergence(step=2, epoch=2, kept_epoch=1)
    """

    def __init__(self, monitor: str, mode: str, patience: int, keep_initial: bool = False):
        super().__init__(monitor=monitor, mode=mode, patience=patience, restore_best_weights=True)
        self.divergence: Divergence | None = None
        self._keep_initial = keep_initial
        self._epoch = self._first_step = 0

    def state(self) -> dict[str, Any]:
        """Returns the state other than `best_weights`, as plain data."""
        best = None if self.best is None else float(self.best)
        return {"wait": self.wait, "best": best, "best_epoch": self.best_epoch, "stopped_epoch": self.stopped_epoch}

    def set_state(self, state: Mapping[str, Any], best_weights: list[np.ndarray] | None) -> None:
        """Restores a state.

        Args:
            state: Result of `state`.
            best_weights: Weights of the best epoch; None if no epoch was evaluated.
        """
        for name, value in state.items():
            setattr(self, name, value)
        self.best_weights = best_weights

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self.divergence = None
        self._first_step = optimizer_steps(
            self.model.optimizer
        )  # Not 0 if the optimizer continues an earlier training.
        if self._keep_initial:
            self.best_weights = self.model.get_weights()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            self._diverge()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        watched = {"loss", "val_loss", *([self.monitor] if self.monitor.endswith("loss") else [])}
        losses = [float(value) for name, value in (logs or {}).items() if name in watched]
        if not all(map(math.isfinite, losses)):
            self._diverge()
        if self.divergence is None:
            super().on_epoch_end(epoch, logs)

    def _diverge(self) -> None:
        self.model.stop_training = True
        if self.divergence is None:
            kept = self.best_epoch + 1 if self.best is not None else 0 if self._keep_initial else None
            step = optimizer_steps(self.model.optimizer) - self._first_step
            self.divergence = Divergence(step, self._epoch, kept)
