"""Two-stage training: frozen layers, rows, early stopping, optimizers and restored state."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tfmtl.models import MAN, MMoE, SharedBottom
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning, MetaLearningOptions, PlainTraining, Stage, TwoStage, fit_stage

MODELS = {
    "man": (MAN, {"expert_units": [8], "tower_units": [4]}, {"attention", "towers", "uncertainty"}),
    "mmoe": (MMoE, {"num_experts": 2, "expert_units": [8], "tower_units": [4]}, {"towers"}),
    "shared_bottom": (SharedBottom, {"bottom_units": [8], "tower_units": [4]}, {"towers"}),
}
FAST = {"learning_rate": 0.02, "max_epochs": 2}
QUIET = {"shuffle": False, "verbose": 0}
MAML = MetaLearningOptions(episodes=2, inner_learning_rate=0.05)


def model_of(name="shared_bottom", **options):
    kind, small, _ = MODELS[name]
    return kind.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, **small, **options)


def rows(count=200, seed=0):
    data = (cases.features(count, seed), cases.labels(cases.pair(), count, seed))
    return tf.data.Dataset.from_tensor_slices(data).batch(50)


class WeightsAtTheStart(keras.callbacks.Callback):
    """Callback that keeps weights, trainable paths, optimizer and strategy at the start of each stage."""

    def __init__(self):
        super().__init__()
        self.stages = []

    def on_train_begin(self, logs=None):
        weights = {weight.path: np.asarray(weight) for weight in self.model.weights}
        trainable = {weight.path for weight in self.model.trainable_variables}
        self.stages.append((weights, trainable, self.model.optimizer, self.model.strategy))


def upper_paths(model, parts):
    layers = [layer for part in parts for layer in _layers(getattr(model, part))]
    return {variable.path for layer in layers for variable in layer.trainable_variables}


def _layers(part):
    return part.values() if isinstance(part, dict) else [part]


@pytest.mark.parametrize(
    ("name", "strategies"),
    [
        *((name, ("plain", "plain")) for name in MODELS),
        ("man", ("maml", "plain")),
        pytest.param("mmoe", ("plain", "maml"), marks=pytest.mark.long),
        pytest.param("shared_bottom", ("maml", "maml"), marks=pytest.mark.long),
    ],
)
def test_second_stage_trains_only_the_upper_layers(name, strategies):
    model, start = model_of(name), WeightsAtTheStart()
    stages = [Stage(**FAST, **({"strategy": MAML} if strategy == "maml" else {})) for strategy in strategies]
    histories = TwoStage(*stages).fit(model, rows(), rows(seed=1), callbacks=[start], **QUIET)
    assert list(histories) == ["stage_1", "stage_2"]
    assert all(len(history["val_loss"]) == 2 for history in histories.values())
    (_, all_paths, first_optimizer, first), (before, trained, second_optimizer, second) = start.stages
    upper = upper_paths(model, MODELS[name][2])
    assert all_paths == set(before)
    assert trained == upper
    assert 0 < len(upper) < len(before)
    after = {weight.path: np.asarray(weight) for weight in model.weights}
    changed = {path for path in before if np.any(before[path] != after[path])}
    assert changed <= upper
    assert {path for path in upper if "kernel" in path} <= changed
    assert second_optimizer is not first_optimizer
    assert all(isinstance(one, RowSparseAdam) for one in (first_optimizer, second_optimizer))
    kinds = {"plain": PlainTraining, "maml": MetaLearning}
    assert [type(one) for one in (first, second)] == [kinds[kind] for kind in strategies]


def test_the_first_stage_trains_everything():
    model, start = model_of("man"), WeightsAtTheStart()
    TwoStage(Stage(**FAST), Stage(**FAST)).fit(model, rows(), callbacks=[start], **QUIET)
    before, general = (start.stages[i][0] for i in (0, 1))
    assert all(np.any(before[path] != general[path]) for path in before if "kernel" in path or "table" in path)


def test_model_has_the_optimizer_and_strategy_of_the_first_stage_afterwards(tmp_path):
    model, start = model_of(), WeightsAtTheStart()
    paths = {variable.path for variable in model.trainable_variables}
    TwoStage(Stage(**FAST, strategy=MAML), Stage(**FAST)).fit(model, rows(), callbacks=[start], **QUIET)
    assert {variable.path for variable in model.trainable_variables} == paths
    assert model.optimizer is start.stages[0][2]
    assert type(model.strategy) is MetaLearning
    assert int(model.optimizer.iterations) == 8
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 8
    for weight, loaded_weight in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, loaded_weight)
    loaded.fit(rows(), **QUIET)


def test_second_stage_trains_on_the_support_rows():
    seen = {"train": 0, "support": 0}

    def counting_dataset(name, batches):
        data = list(rows().take(batches))

        def generate():
            for batch in data:
                seen[name] += 1
                yield batch

        return tf.data.Dataset.from_generator(generate, output_signature=rows().element_spec)

    stages = (Stage(**FAST, patience=9), Stage(**{**FAST, "max_epochs": 3}, patience=9))
    arguments = {"support": counting_dataset("support", 2), **QUIET}
    with pytest.warns(UserWarning, match="ran out of data"):
        histories = TwoStage(*stages).fit(model_of(), counting_dataset("train", 3), rows(seed=1), **arguments)
    assert [len(history["loss"]) for history in histories.values()] == [2, 3]
    assert seen == {"train": 2 * 3, "support": 3 * 2}


@pytest.mark.parametrize(("monitor", "best"), [("loss", min), ("ctr_auc", max)])
def test_stage_restores_the_weights_of_its_best_epoch(monitor, best):
    model = model_of()
    stage = Stage(learning_rate=0.05, max_epochs=30, monitor=monitor, patience=2)
    history = fit_stage(model, stage, rows(), rows(seed=1), **QUIET)
    watched = history[f"val_{monitor}"]
    assert len(watched) < 30
    assert watched.index(best(watched)) == len(watched) - 3
    result = model.evaluate(rows(seed=1), return_dict=True, verbose=0)[monitor]
    np.testing.assert_allclose(result, best(watched), rtol=1e-5)


def test_early_stopping_without_validation_watches_the_training_metric():
    history = fit_stage(model_of(), Stage(learning_rate=1e-30, max_epochs=9, patience=1), rows(), **QUIET)
    assert len(history["loss"]) == 2


def test_make_optimizer_creates_the_optimizer_of_each_stage():
    created = []

    def sgd(stage):
        created.append(keras.optimizers.SGD(stage.learning_rate))
        return created[-1]

    stages = (Stage(learning_rate=0.5, max_epochs=1), Stage(learning_rate=0.25, max_epochs=1))
    start = WeightsAtTheStart()
    TwoStage(*stages, make_optimizer=sgd).fit(model_of(), rows(), callbacks=[start], **QUIET)
    assert [stage[2] for stage in start.stages] == created
    assert [float(optimizer.learning_rate) for optimizer in created] == [0.5, 0.25]


def test_weights_are_trainable_again_after_an_error():
    class Fails(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if not self.model.embedding.table.trainable:
                raise RuntimeError("in the second stage")

    model = model_of()
    count = len(model.trainable_variables)
    with pytest.raises(RuntimeError, match="in the second stage"):
        TwoStage(Stage(**FAST), Stage(**FAST)).fit(model, rows(), callbacks=[Fails()], **QUIET)
    assert len(model.trainable_variables) == count


def test_rejects_a_model_without_upper_layers():
    class NoTowers(SharedBottom):
        upper_layers = ()

    model = NoTowers.from_spec(cases.pair(), cases.SIZES, bottom_units=[4])
    with pytest.raises(ValueError, match=r"`upper_layers` of NoTowers should have trainable weights. Received: \(\)"):
        TwoStage(Stage(**FAST), Stage(**FAST)).fit(model, rows(), **QUIET)
