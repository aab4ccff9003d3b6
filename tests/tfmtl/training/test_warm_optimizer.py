"""Optimizers that continue after a warm start: slots of embedding rows matched by token, and the number of steps."""

import keras
import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import data_of, rows_of, tiny
from tests.tfmtl.training.test_warm_start import SPEC, grown, sizes, tokens, translated, without
from tfmtl.optimizers import RowSparseAdagrad, RowSparseAdam, RowSparseFtrl
from tfmtl.training.shifted_schedule import ShiftedSchedule
from tfmtl.training.warm_optimizer import warm_start_optimizer
from tfmtl.training.warm_start import warm_start

OPTIMIZERS = {
    "adam": lambda: RowSparseAdam(0.05, epsilon=1e-3),
    "adagrad": lambda: RowSparseAdagrad(0.1, initial_accumulator_value=0.3),
    "ftrl": lambda: RowSparseFtrl(0.1),
}


def trained(vocabularies, kind="adam", steps=4, name="mmoe", spec=SPEC, **options):
    """Returns a model that was trained for some steps, with its optimizer."""
    keras.utils.set_random_seed(3)
    model = tiny(name, spec, sizes(vocabularies), **options)
    model.compile(OPTIMIZERS[kind](), run_eagerly=True)
    features, labels = rows_of(name, 64 * steps)
    features = without(features, 3, vocabularies)  # Id 3 is token 2, which is removed.
    for batch in np.array_split(np.arange(64 * steps), steps):
        step(model, features, labels, batch)
    return model


def step(model, features, labels, rows):
    model.train_on_batch({k: v[rows] for k, v in features.items()}, {k: v[rows] for k, v in labels.items()})


def slots(optimizer, index):
    return [np.array(slot) for slot in optimizer.slot_variables(index)]


def started(old, before, after, kind="adam", name="mmoe", spec=SPEC, **options):
    """Returns a model with the weights of the old one, and an optimizer that continues its optimizer."""
    model = tiny(name, spec, sizes(after), **options)
    warm_start(model, after, old, before)
    optimizer = OPTIMIZERS[kind]()
    warm_start_optimizer(optimizer, model, after, old, before)
    return model, optimizer


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_slots_of_a_row_move_with_its_token(kind):
    before = tokens(cases.SIZES)
    after = grown(before)
    old = trained(before, kind)
    model, optimizer = started(old, before, after, kind)
    fresh = OPTIMIZERS[kind]()
    fresh.build(model.trainable_variables)
    table = next(i for i, one in enumerate(model.trainable_variables) if one is model.embedding.table)
    old_slots, new_slots, initial = (slots(one, table) for one in (old.optimizer, optimizer, fresh))
    kept = fresh_rows = 0
    for feature in before:
        start, old_start = (one.embedding.offsets[feature] + 1 for one in (model, old))
        for row, token in enumerate(after[feature]):
            for new, was, first in zip(new_slots, old_slots, initial, strict=True):
                if token in before[feature]:
                    np.testing.assert_array_equal(new[start + row], was[old_start + before[feature].index(token)])
                    kept += np.any(new[start + row] != first[start + row])
                else:
                    np.testing.assert_array_equal(new[start + row], first[start + row])
                    fresh_rows += 1
    assert kept > 20
    assert fresh_rows == 3 * len(before) * len(initial)
    assert int(optimizer.iterations) == int(old.optimizer.iterations) == 4


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("options", [{}, {"wide": True}], ids=["plain", "wide"])
def test_training_continues_as_if_no_index_had_moved(kind, options):
    """Rows without new tokens have the same scores after further steps as with the old model."""
    before = tokens(data_of("mmoe")[1])
    after = grown(before)
    old = trained(before, kind, **options)
    model, optimizer = started(old, before, after, kind, **options)
    model.compile(optimizer, run_eagerly=True)
    features, labels = rows_of("mmoe", 128)
    features = without(features, 3, before)
    moved = translated(features, SPEC, before, after)
    for rows in (np.arange(64), np.arange(64, 128)):
        step(old, features, labels, rows)
        step(model, moved, labels, rows)
    for output, scores in old.score(features).items():
        np.testing.assert_allclose(model.score(moved)[output], scores, atol=2e-6)


def test_an_optimizer_that_is_already_built_or_saved_with_its_model_continues(tmp_path):
    before = tokens(cases.SIZES)
    old = trained(before)
    old.save(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras")
    model, optimizer = started(read, before, before)
    again = OPTIMIZERS["adam"]()
    again.build(model.trainable_variables)
    warm_start_optimizer(again, model, before, read, before)
    for index in range(len(model.trainable_variables)):
        for one, other, was in zip(
            slots(optimizer, index), slots(again, index), slots(old.optimizer, index), strict=True
        ):
            np.testing.assert_array_equal(one, was)
            np.testing.assert_array_equal(other, was)


def test_rejects_an_old_model_without_the_same_optimizer():
    before = tokens(cases.SIZES)
    old = trained(before)
    with pytest.raises(ValueError, match=r"should be a RowSparseAdagrad. Received: a RowSparseAdam"):
        started(old, before, before, "adagrad")
    with pytest.raises(ValueError, match=r"should be compiled with a RowSparseAdam. Received: none"):
        started(tiny("mmoe", SPEC, cases.SIZES), before, before)


def test_a_shifted_schedule_begins_at_its_first_step():
    cosine = keras.optimizers.schedules.CosineDecay(0.1, 10)
    shifted = ShiftedSchedule(cosine, 40)
    np.testing.assert_allclose([shifted(40 + i) for i in range(12)], [cosine(i) for i in range(12)])
    np.testing.assert_allclose(shifted(3), 0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(shifted))
    np.testing.assert_allclose(again(45), cosine(5))
