"""Callback that prints one line per epoch."""

import time
from collections.abc import Callable, Mapping

import keras

from tfmtl.training.input_wait import INPUT_WAIT


class EpochLines(keras.callbacks.Callback):
    """Callback that prints, after each epoch, its duration, the losses and the validation AUC of each output.

    If `InputWait` is among the callbacks before it, the line also shows the share of the training time in which the
    model waited for its input.

    Args:
        write: Function to call with each line.

    Example:
        >>> from tfmtl.training import EpochLines
        >>> callback = EpochLines()
        >>> callback.set_params({"epochs": 3})
        >>> callback.on_epoch_begin(0)
        >>> callback.on_epoch_end(0, {"loss": 0.52, "val_loss": 0.5, "val_ctr_auc": 0.61})
            epoch 1/3  0 s  loss 0.5200  val_loss 0.5000  validation AUC ctr 0.6100
    """

    def __init__(self, write: Callable[[str], object] = print):
        super().__init__()
        self._write = write
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        logs = logs or {}
        total = f"/{self.params['epochs']}" if self.params.get("epochs") else ""
        parts = [f"epoch {epoch + 1}{total}", f"{time.monotonic() - self._start:.0f} s"]
        if INPUT_WAIT in logs:
            parts.append(f"input wait {logs[INPUT_WAIT]:.1%}")
        parts += [f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss") if name in logs]
        validated = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        for title, suffix in (("AUC", "_auc"), ("Gini", "_gini")):
            found = [(name.removesuffix(suffix), value) for name, value in validated.items() if name.endswith(suffix)]
            if found:
                parts.append(f"validation {title} " + " ".join(f"{name} {value:.4f}" for name, value in found))
        self._write("    " + "  ".join(parts))
