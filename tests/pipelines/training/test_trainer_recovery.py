"""The Trainer continues after a kill: equal weights, calibration and scores; divergence; what is written beside."""

import json
import pathlib
import types

import keras
import numpy as np
import pytest

from pipelines.errors import exit_code, user_message
from pipelines.pipeline import create_pipeline
from pipelines.settings import Settings
from pipelines.training import trainer
from pipelines.training.checkpoints import checkpoint_folder, make_recovery
from pipelines.training.summary import TrainingDiverged, read_summary
from pipelines.training_settings import TrainingSettings
from tests.pipelines.training.day_log import MODEL, SPEC, train
from tfmtl import config
from tfmtl.training import EpochLines
from tfmtl.training.distribution import ONE_DEVICE

TRAINING = {"max_epochs": 3, "learning_rate": 0.05, "deterministic": True, "checkpoint_steps": 3}
CALIBRATED = {**MODEL, "options": {**MODEL["options"], "calibration": "isotonic", "dropout": 0.1}}


class Killed(Exception):
    """Stands for the end of the process."""


def kill_at(monkeypatch, step):
    """Makes a training end after a number of steps of its process; never if None."""

    class Lines(EpochLines):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps == step:
                raise Killed

    monkeypatch.setattr(trainer, "EpochLines", Lines)


def checkpoints(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.glob("checkpoints/*"))


def state(run):
    """Returns weights, calibration and the optimizer's variables; files of Keras do not keep seeds of dropout."""
    model = keras.saving.load_model(f"{run.model_run_dir}/model.keras")
    return [variable.numpy() for variable in [*model.weights, *model.optimizer.variables]]


def attempt(day, folder, number, **training):
    """Trains as the execution of a number, in folders as those of TFX."""
    return train(day, folder / str(number), model=CALIBRATED, **{**TRAINING, **training})


@pytest.mark.long
def test_a_second_run_continues_and_gives_the_same_model(days, tmp_path, monkeypatch, capsys):
    whole = attempt(days[0], tmp_path / "whole", 1)
    kill_at(monkeypatch, 11)
    with pytest.raises(Killed):
        attempt(days[0], tmp_path / "killed", 1)
    assert len(checkpoints(tmp_path / "killed")) == 1
    kill_at(monkeypatch, None)
    capsys.readouterr()
    again = attempt(days[0], tmp_path / "killed", 2)
    assert "resumed at step 9 of 21 from a checkpoint" in capsys.readouterr().out
    for found, expected in zip(state(again), state(whole), strict=True):
        np.testing.assert_array_equal(found, expected)
    for name in ("history.json", "health.json"):
        texts = [pathlib.Path(run.model_run_dir, name).read_text() for run in (again, whole)]
        assert texts[0] == texts[1]
    assert [read_summary(run.model_run_dir)["resumed_step"] for run in (again, whole)] == [9, None]
    assert checkpoints(tmp_path / "killed") == []
    for run in (again, whole):
        logs = pathlib.Path(run.model_run_dir, "tensorboard").iterdir()
        assert sorted(path.name for path in logs) == ["train", "validation"]


def test_a_diverged_training_keeps_the_weights_of_an_evaluated_epoch(days, tmp_path, monkeypatch, capsys):
    class Poison(EpochLines):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 9:
                weight = self.model.trainable_variables[-1]
                weight.assign(np.full(weight.shape, np.nan))

    monkeypatch.setattr(trainer, "EpochLines", Poison)
    run = attempt(days[0], tmp_path, 1)
    summary = read_summary(run.model_run_dir)
    found = [summary[name] for name in ("diverged", "diverged_step", "diverged_epoch", "kept_epoch")]
    assert found == [True, 10, 2, 1]
    assert all(
        np.isfinite(one).all() for one in keras.saving.load_model(f"{run.model_run_dir}/model.keras").get_weights()
    )
    assert "DIVERGED: the loss became NaN or infinite at step 10 in epoch 2; the weights of epoch 1 are kept" in (
        capsys.readouterr().out
    )


def test_a_training_without_weights_to_keep_is_an_error_of_the_user(days, tmp_path):
    with pytest.raises(TrainingDiverged, match=r"training\.learning_rate: .*Received: 1000000000000.0") as caught:
        attempt(days[0], tmp_path, 1, learning_rate=1e12, checkpoint_steps=1)
    assert (exit_code(caught.value), len(user_message(caught.value).splitlines())) == (3, 2)
    assert checkpoints(tmp_path) == []
    assert not pathlib.Path(tmp_path, "1", "model").exists()


def arguments(**changes):
    values = {
        "custom_config": {"training": {"seed": 1}, "code": "a"},
        "train_files": ["examples/7/Split-train/*"],
        "eval_files": ["examples/7/Split-eval/*"],
        "transform_output": "transform/8",
        "base_model": None,
        "hyperparameters": None,
        "model_run_dir": "root/Trainer/model_run/9",
    }
    return types.SimpleNamespace(**{**values, **changes})


def test_only_a_training_that_is_equal_in_all_finds_the_checkpoints():
    folder = checkpoint_folder(arguments())
    assert folder.startswith("root/Trainer/checkpoints/")
    assert checkpoint_folder(arguments(model_run_dir="root/Trainer/model_run/12/")) == folder
    changes = [
        {"custom_config": {"training": {"seed": 2}, "code": "a"}},
        {"custom_config": {"training": {"seed": 1}, "code": "b"}},
        {"train_files": ["examples/6/Split-train/*"]},
        {"eval_files": ["examples/6/Split-eval/*"]},
        {"transform_output": "transform/6"},
        {"base_model": "model/3"},
        {"hyperparameters": {"model": {"name": "mmoe"}}},
    ]
    assert len({folder, *(checkpoint_folder(arguments(**change)) for change in changes)}) == 1 + len(changes)
    config_of_a_runner = {"training": {"seed": 1}, "checkpoints": "gs://bucket/checkpoints"}
    assert checkpoint_folder(arguments(custom_config=config_of_a_runner)).startswith("gs://bucket/checkpoints/")


def test_checkpoints_can_be_left_out():
    training = TrainingSettings(checkpoint_minutes=None)
    assert make_recovery(arguments(), training, ONE_DEVICE, [], 64) is None


def test_a_runner_can_choose_the_folder():
    model = config.build(Settings, config.Document({"name": "log", "spec": SPEC.to_dict(), "model": MODEL})).model
    settings = Settings("log", SPEC, model)
    for folder in (None, "gs://bucket/checkpoints"):
        pipeline = create_pipeline(settings, "root", "serving", checkpoints=folder)
        component = next(one for one in pipeline.components if one.id == "Trainer")
        custom = json.loads(component.exec_properties["custom_config"])
        assert custom.get("checkpoints") == folder


@pytest.mark.parametrize("wrong", [{"checkpoint_minutes": -1.0}, {"checkpoint_steps": 0}])
def test_wrong_intervals_are_rejected(wrong):
    with pytest.raises(config.FieldError, match=next(iter(wrong))):
        TrainingSettings(**wrong)
