"""A training that is interrupted at any step and begun again ends with the weights of one that was not."""

import functools
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as framework

from tests.tfmtl import cases
from tfmtl.models import AutoHERI, SharedBottom
from tfmtl.training import ArchitectureSearchOptions, MetaLearningOptions, Stage, TwoStage, fit_stage
from tfmtl.training.data_position import DataPosition
from tfmtl.training.recovery import Interval, Recovery
from tfmtl.training.tensorboard import TensorBoardLog
from tfmtl.training.two_stage import stage_optimizer

BATCHES, ROWS = 6, 20
QUIET = {"shuffle": False, "verbose": 0}


class Killed(Exception):
    """Stands for the end of the process."""


class KillAt(keras.callbacks.Callback):
    """Callback that ends training after a number of steps of all stages."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture(autouse=True)
def _deterministic():
    tf.config.experimental.enable_op_determinism()
    yield
    framework.disable_op_determinism()


def data(spec, position):
    """Returns rows whose order differs between passes, and which begin at the position."""
    rows = tf.data.Dataset.from_tensor_slices((cases.features(BATCHES * ROWS), cases.labels(spec, BATCHES * ROWS)))

    def one_pass(_):
        number, skipped = position.begin_pass()
        return rows.shuffle(BATCHES * ROWS, seed=number, reshuffle_each_iteration=False).batch(ROWS).skip(skipped)

    return tf.data.Dataset.range(1).flat_map(one_pass)


def validation(spec):
    return tf.data.Dataset.from_tensor_slices((cases.features(40, 1), cases.labels(spec, 40, 1))).batch(40)


def continued_optimizer(model, stage):
    """Returns the optimizer of a stage after 100 steps of an earlier training."""
    optimizer = stage_optimizer(stage)
    optimizer.build(model.trainable_variables)
    optimizer.iterations.assign(100)
    return optimizer


def train(kind, folder, step=None, interval=None, callbacks=()):
    """Trains a model, killed after `step` steps, and returns all of its state; None if it was killed."""
    keras.utils.set_random_seed(3)
    spec = cases.pair()
    if kind == "search":
        model = AutoHERI.from_spec(spec, cases.SIZES, network_units=(8, 4), embedding_dim=4)
    else:
        small = {"embedding_dim": 4, "bottom_units": [8], "tower_units": [4]}
        model = SharedBottom.from_spec(spec, cases.SIZES, **small, dropout=0.2)
    strategy = {
        "maml": MetaLearningOptions(episodes=2, inner_learning_rate=0.05, group_by="user"),
        "search": ArchitectureSearchOptions(held_out=0.3),
    }.get(kind)
    options = {"learning_rate": 0.03, "max_epochs": 3, **({"strategy": strategy} if strategy else {})}
    if kind == "plain":
        options |= {"learning_rate": 0.3, "max_epochs": 6, "patience": 1}
    stage = Stage(**options)
    position = DataPosition()
    recovery = Recovery(str(folder), position, interval or Interval(steps=2), planned_steps=18)
    arguments = {"recovery": recovery, "seed": 3, "callbacks": [*callbacks, KillAt(step or -1)], **QUIET}
    rows = (data(spec, position), validation(spec))
    try:
        if kind == "continued":
            arguments["make_optimizer"] = functools.partial(continued_optimizer, model)
        if kind == "two stages":
            history = TwoStage(stage, Stage(max_epochs=2)).fit(model, *rows, **arguments)
        else:
            history = fit_stage(model, stage, *rows, **arguments)
    except Killed:
        return None
    variables = [*model.variables, *model.optimizer.variables]
    drawn = (random.random(), float(np.random.random()), keras.random.uniform(()).numpy().item())
    return [variable.numpy() for variable in variables], history, drawn[:2]


def assert_same(found, expected):
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1:] == expected[1:]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Returns a function that trains without interruption, once for each kind."""

    @functools.cache
    def trained(kind):
        return train(kind, tmp_path_factory.mktemp("whole"))

    return trained


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        # Before the first checkpoint; with one between an epoch and its evaluation; after an evaluated epoch.
        ("plain", (1, 7, 10)),
        ("maml", (5,)),
        pytest.param("search", (5,), marks=pytest.mark.long),
        pytest.param("two stages", (10, 20), marks=pytest.mark.long),  # in each stage
    ],
)
def test_an_interrupted_training_ends_with_the_same_weights(kind, steps, whole, tmp_path, capsys):
    expected = whole(kind)
    for step in steps:
        assert train(kind, tmp_path / "killed", step) is None
    capsys.readouterr()
    log = TensorBoardLog(str(tmp_path / "log"))
    found = train(kind, tmp_path / "killed", callbacks=[log])
    assert_same(found, expected)
    assert "of 18 from a checkpoint" in capsys.readouterr().out
    if kind == "plain":  # Otherwise the test would say nothing about early stopping.
        losses = expected[1]["val_loss"]
        assert np.argmin(losses) + 1 < len(losses) < 6
        assert logged(tmp_path / "log" / "train") == pytest.approx(expected[1]["loss"], rel=1e-6)
        assert logged(tmp_path / "log" / "validation") == pytest.approx(losses, rel=1e-6)


def logged(folder):
    """Returns the losses of all epochs in the log of TensorBoard."""
    (path,) = folder.iterdir()
    losses = {
        event.step: float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "epoch_loss"
    }
    return [losses[epoch] for epoch in range(len(losses))]


def test_a_torn_checkpoint_is_ignored(whole, tmp_path, capsys):
    assert train("plain", tmp_path, 9) is None
    assert len(list(tmp_path.iterdir())) == 2
    tensors = max(tmp_path.iterdir()) / "tensors.data-00000-of-00001"
    content = bytearray(tensors.read_bytes())
    content[-1] ^= 1
    tensors.write_bytes(content)
    assert_same(train("plain", tmp_path), whole("plain"))
    assert "resumed at step 6 of 18" in capsys.readouterr().out


def test_the_steps_of_an_earlier_training_do_not_count(whole, tmp_path, capsys):
    assert train("continued", tmp_path, 5) is None
    assert_same(train("continued", tmp_path), whole("continued"))
    assert "resumed at step 4 of 18" in capsys.readouterr().out


def test_checkpoints_take_at_most_two_percent_of_the_time():
    interval = Interval(minutes=10)
    assert not interval.is_due(599, 10**9, writing_seconds=1)
    assert interval.is_due(600, 1, writing_seconds=12)
    assert not interval.is_due(600, 1, writing_seconds=13)
    assert interval.is_due(650, 1, writing_seconds=13)
