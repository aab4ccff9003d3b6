"""Progress of a training: epochs and steps, without a value of a step."""

import keras
import numpy as np

from pipelines.progress.task import FOLDER, read_states
from pipelines.progress.training import TrainingProgress


def fit(callbacks, epochs=2):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(np.ones((64, 2)), np.ones((64, 1)), batch_size=8, epochs=epochs, callbacks=callbacks, verbose=0)


class Look(keras.callbacks.Callback):
    def __init__(self, folder):
        super().__init__()
        self.folder, self.seen = folder, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen += read_states(self.folder)


def test_epochs_and_steps_are_reported(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr("pipelines.progress.task.INTERVAL", 0.0)
    look = Look(tmp_path)
    fit([TrainingProgress(8), look])
    steps = [(epoch, 8 * step) for epoch in (0, 1) for step in range(1, 9)]
    assert [(one.done, one.part) for one in look.seen] == steps
    assert {(one.total, one.unit) for one in look.seen} == {(2, "epochs")}
    assert look.seen[0].note == "step 1"
    assert look.seen[-1].note.startswith("step 8, loss ")
    assert read_states(tmp_path) == [], "the task ends with the training"


def test_nothing_is_reported_if_nobody_looks(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr("pipelines.progress.task.Task.update", lambda *_, **__: 1 / 0)
    fit([TrainingProgress(8)])
