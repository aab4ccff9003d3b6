"""Training of one trial. The hash of a trial's code begins here (`request.trial_code_hash`)."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from pipelines.prepared.fit import train
from pipelines.prepared.prepared import Prepared
from pipelines.training_settings import TrainingSettings
from pipelines.tuning.request import TrialRequest, trial_code_hash
from tfmtl import config


class _Stopped(Exception):
    """The trial is worse than the median rule allows."""


class _TrialLog(keras.callbacks.Callback):
    """Keeps the metrics of each epoch, stages one after another, and stops training by the median rule.

    Args:
        objective: Name of the metric in Keras's logs.
        sign: 1 if the objective is maximized, else -1.
        thresholds: Values that the best epoch so far should reach, by epoch, times the sign.
    """

    def __init__(self, objective: str, sign: int, thresholds: Sequence[float | None]):
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.stage_start = 0
        self.objective, self._sign, self._thresholds = objective, sign, thresholds

    @property
    def scores(self) -> list[float]:
        """Values of the objective in the last stage, times the sign."""
        return [self._sign * value for value in self.history.get(self.objective, [])[self.stage_start :]]

    def on_train_begin(self, logs: Any = None) -> None:
        self.stage_start = len(self.history.get(self.objective, []))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        threshold = self._thresholds[epoch] if epoch < len(self._thresholds) else None
        if threshold is not None and max(self.scores) < threshold:
            raise _Stopped


def run_trial(request: TrialRequest, prepared: pathlib.Path) -> dict[str, Any]:
    """Trains the model of a trial.

    Args:
        request: The trial.
        prepared: Folder of the prepared data.

    Returns:
        The fields `status`, `metric`, `epoch`, `history`, `code` and `error` of the trial.

    Raises:
        ValueError: If the prepared data have another fingerprint.
    """
    code = trial_code_hash()
    data = Prepared.load(prepared)
    if data.fingerprint != request.fingerprint:
        raise ValueError(f"{prepared} should hold the data {request.fingerprint}. Received: {data.fingerprint}")
    training: TrainingSettings = config.build(TrainingSettings, config.Document(dict(request.training)))
    sign = 1 if request.maximize else -1
    log = _TrialLog(f"val_{training.monitor}", sign, request.thresholds)
    status = "finished"
    try:
        with train(request.model, request.options, training, data, [log]):
            pass
    except _Stopped:
        status = "stopped"
    outcome = {"status": status, "history": log.history, "code": code, "metric": None, "epoch": None, "error": ""}
    if error := _failure(log):
        return {**outcome, "status": "failed", "error": error}
    best = max(range(len(log.scores)), key=log.scores.__getitem__)
    return {**outcome, "metric": sign * log.scores[best], "epoch": log.stage_start + best + 1}


def _failure(log: _TrialLog) -> str:
    """Returns why the metrics of a trial cannot be used; an empty string if they can."""
    if not log.scores:
        return "no epoch was finished"
    for name in ("loss", log.objective):
        for epoch, value in enumerate(log.history.get(name, []), 1):
            if not math.isfinite(value):
                return f"{name} is {value} in epoch {epoch}"
    return ""
