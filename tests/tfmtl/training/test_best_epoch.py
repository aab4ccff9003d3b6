"""Early stopping whose loss becomes NaN: training ends, and the weights of the last evaluated epoch remain."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tfmtl.models import SharedBottom
from tfmtl.training import Distribution, Stage, TwoStage, fit_stage
from tfmtl.training.best_epoch import BestEpoch, Divergence
from tfmtl.training.two_stage import stage_optimizer

QUIET = {"shuffle": False, "verbose": 0}


def model_of():
    return SharedBottom.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, bottom_units=[8], tower_units=[4])


def rows(seed=0):
    data = (cases.features(200, seed), cases.labels(cases.pair(), 200, seed))
    return tf.data.Dataset.from_tensor_slices(data).batch(50)


class Poison(keras.callbacks.Callback):
    """Callback that makes a weight NaN before a step of a fit, and keeps the weights at the end of each epoch."""

    def __init__(self, step, fit=1):
        super().__init__()
        self.step, self.fits, self.steps, self.weights = step, fit, 0, []

    def on_train_begin(self, logs=None):
        self.fits -= 1
        self.steps, self.weights = 0, [self.model.get_weights()]

    def on_train_batch_begin(self, batch, logs=None):
        self.steps += 1
        if (self.fits, self.steps) == (0, self.step):
            weight = self.model.trainable_variables[-1]
            weight.assign(np.full(weight.shape, np.nan))

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


@pytest.mark.parametrize(("step", "kept"), [(6, 1), (2, None)])
def test_training_stops_at_the_step_and_keeps_the_weights_of_the_evaluated_epoch(step, kept):
    model, poison, found = model_of(), Poison(step), []
    fit_stage(model, Stage(max_epochs=5), rows(), rows(1), callbacks=[poison], on_divergence=found.append, **QUIET)
    assert found == [Divergence(step, 1 + (step > 4), kept)]
    if kept:
        for weight, expected in zip(model.get_weights(), poison.weights[kept], strict=True):
            np.testing.assert_array_equal(weight, expected)


def test_training_on_replicas_keeps_the_weights_of_the_best_epoch():
    """Their variables, and the counter of the optimizer, have a copy on each replica."""
    with Distribution("mirrored", devices=("CPU:0",)).strategy().scope():
        model = model_of()
    poison, found = Poison(6), []
    fit_stage(model, Stage(max_epochs=5), rows(), rows(1), callbacks=[poison], on_divergence=found.append, **QUIET)
    assert found == [Divergence(6, 2, 1)]
    for weight, expected in zip(model.get_weights(), poison.weights[1], strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_the_steps_of_an_earlier_training_do_not_count():
    def optimizer(stage):
        made = stage_optimizer(stage)
        made.build(model.trainable_variables)
        made.iterations.assign(100)
        return made

    model, found = model_of(), []
    arguments = {"callbacks": [Poison(6)], "on_divergence": found.append, "make_optimizer": optimizer}
    fit_stage(model, Stage(max_epochs=5), rows(), rows(1), **arguments, **QUIET)
    assert found == [Divergence(6, 2, 1)]


def test_a_stage_of_fine_tuning_keeps_the_weights_of_the_first_one():
    model, poison, found = model_of(), Poison(1, fit=2), []
    stages = TwoStage(Stage(max_epochs=1), Stage(max_epochs=2))
    stages.fit(model, rows(), rows(1), callbacks=[poison], on_divergence=found.append, **QUIET)
    assert found == [Divergence(1, 1, 0)]
    for weight, expected in zip(model.get_weights(), poison.weights[0], strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_metric_that_is_not_finite_is_no_best_epoch():
    best = BestEpoch("val_loss", "min", patience=3)
    best.set_model(model_of())
    best.model.compile("sgd")
    best.on_train_begin()
    best.on_epoch_begin(0)
    best.on_epoch_end(0, {"loss": 0.5, "val_loss": float("inf")})
    assert best.model.stop_training
    assert best.best_weights is None
    assert best.divergence == Divergence(0, 1, None)


def test_an_auc_of_labels_of_one_class_is_no_divergence():
    features, labels = cases.features(200), cases.labels(cases.pair(), 200)
    labels = {name: np.zeros_like(values) for name, values in labels.items()}
    one_class = tf.data.Dataset.from_tensor_slices((features, labels)).batch(50)
    found, stage = [], Stage(max_epochs=2, monitor="ctr_auc")
    history = fit_stage(model_of(), stage, one_class, one_class, on_divergence=found.append, **QUIET)
    assert np.isnan(history["val_ctr_auc"]).all()
    assert (found, len(history["loss"])) == ([], 2)


def test_losses_that_are_finite_are_no_divergence():
    found = []
    history = fit_stage(model_of(), Stage(max_epochs=2), rows(), rows(1), on_divergence=found.append, **QUIET)
    assert (found, len(history["loss"])) == ([], 2)
