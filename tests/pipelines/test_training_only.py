"""Features that are known in training only, such as the position of an item, from the simulated log to the export."""

import dataclasses
import itertools

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from pipelines.compare.metrics.evaluate import auc_of_probabilities
from pipelines.evaluation.one_hot_rows import OneHotColumns
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.training_only_effects import measure_effects, read_effects, write_effects
from serving.description import DESCRIPTION, ModelDescription
from serving.export import RAW, SERVING_DEFAULT, TRANSFORMED, export
from serving.export_check import check_export
from serving.inputs import features_of
from serving.rows import Batch, RowError
from serving.training_only import served_transform
from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature, NumericalFeature, TrainingOnly
from tfmtl.models import SharedBottom
from tfmtl.spec import DatasetSpec, Task
from transforms.batches.raw_batch import SPLITS
from transforms.examples.from_columns import encode
from transforms.ingest.ingest_files import ingest
from transforms.simulation.feature_options import EntityOptions, FeatureOptions
from transforms.simulation.options import SimulatorOptions, TaskOptions
from transforms.simulation.position import PositionOptions
from transforms.simulation.simulator import simulate

ITEMS = 60
POSITION = CategoricalFeature("position", training_only=TrainingOnly(1))
SPEC = DatasetSpec(
    "list",
    (CategoricalFeature("item"), CategoricalFeature("group"), POSITION),
    (Task("click", "clicked", output="ctr"),),
)
PLAIN = dataclasses.replace(SPEC, features=(*SPEC.features[:2], CategoricalFeature("position")))
WITHOUT = dataclasses.replace(SPEC, features=SPEC.features[:2])
SIZES = {"item": ITEMS, "group": 6, "position": 9}
OPTIONS = SimulatorOptions(
    rows=40_000,
    entities={"item": EntityOptions("item", count=ITEMS, zipf=0.3)},
    features={"group": FeatureOptions(entity="item", cardinality=6)},
    tasks={"click": TaskOptions(rate=0.3, strength=1.0)},
    position=PositionOptions("position", slots=8, bias=0.8, policy=0.3, promoted="item", promotion=0.8),
    seed=3,
)


class Numbers(tf.Module):
    """Transform of the simulated tokens, which are numbers."""

    def __call__(self, raw):
        found = {}
        for name, values in raw.items():
            texts = tf.strings.reduce_join(tf.sparse.to_dense(values, default_value=""), axis=1)
            found[name] = tf.strings.to_number(tf.where(texts == "", "0", texts), tf.int64) + 1
        return found


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """File of all rows, the rows, and the true probability of each at position 1."""
    folder = tmp_path_factory.mktemp("list")
    found = simulate(SPEC, OPTIONS, folder)
    examples = [
        example.as_py()
        for batch in ingest([str(found.log)], SPEC)
        for split in SPLITS
        for example in encode(batch.typed[split])
    ]
    path = folder / "rows.gz"
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for example in examples:
            writer.write(example)
    return path, pd.read_csv(found.log), pd.read_csv(found.truth)["ctr"].to_numpy()


def test_positions_follow_relevance_and_clicks_follow_positions(log):
    _, rows, truth = log
    means = [truth[rows["position"] == position].mean() for position in range(1, 9)]
    assert all(first > second for first, second in itertools.pairwise(means))
    top, last = rows["position"] == 1, rows["position"] == 8
    assert rows["clicked"][top].mean() == pytest.approx(truth[top].mean(), abs=0.02)
    expected = 1 / (1 + np.exp(-(np.log(truth[last] / (1 - truth[last])) - 0.8 * 3)))
    assert rows["clicked"][last].mean() == pytest.approx(expected.mean(), abs=0.02)


def test_the_served_spec_has_no_feature_of_training_only():
    assert [feature.name for feature in SPEC.served.features] == ["item", "group"]
    assert WITHOUT.served is WITHOUT
    grouped = dataclasses.replace(SPEC, groups={"list": ("position",), "item": ("item", "position")})
    assert grouped.served.groups == {"item": ("item",)}
    assert DatasetSpec.from_yaml(SPEC.to_yaml()) == SPEC


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "position"}, "should be left out for the scenario and for exposures"),
        ({"features": (POSITION,)}, "should be left out for at least one feature"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(FieldError, match=message):
        dataclasses.replace(SPEC, **changes)
    with pytest.raises(FieldError, match="a number"):
        NumericalFeature("seconds", training_only=TrainingOnly("long"))


def test_rows_that_are_scored_have_the_fixed_value_and_those_of_training_their_own(tmp_path):
    path = tmp_path / "rows.gz"
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for position in (3, 5, 7):
            example = tf.train.Example()
            for name, value in (("item", 4), ("group", 2), ("position", position)):
                example.features.feature[name].bytes_list.value.append(str(value).encode())
            example.features.feature["clicked"].int64_list.value.append(1)
            writer.write(example.SerializeToString())
    inputs, files = InputPipeline(SPEC, Numbers(), 8), [str(path)]
    (train, _), (evaluation, _) = next(iter(inputs.training(files))), next(iter(inputs.evaluation(files)))
    assert sorted(train["position"].numpy()) == [4, 6, 8]
    assert evaluation["position"].numpy().tolist() == [4, 6, 8]
    assert next(iter(inputs.first_rows(files, 3)))[0]["position"].numpy().tolist() == [2, 2, 2]
    assert next(iter(inputs.blocks(files, 1)))[0]["position"].numpy().tolist() == [4, 6, 8]
    assert next(iter(inputs.blocks(files, 1, is_served=True)))[0]["position"].numpy().tolist() == [2, 2, 2]
    columns = OneHotColumns(SPEC)
    ((train_rows, _),) = columns.read(files, grow=True)
    ((served, _),) = columns.read(files, grow=False)
    by_token = {token: index for (name, token), index in columns.indices.items() if name == "position"}
    assert set(by_token) == {b"3", b"5", b"7"}
    assert train_rows.toarray()[:, list(by_token.values())].sum() == 3
    assert served.toarray()[:, list(by_token.values())].sum() == 0  # No training row is at position 1.


def trained(spec, log):
    keras.utils.set_random_seed(0)
    model = SharedBottom.from_spec(
        spec, {name: SIZES[name] for name in (feature.name for feature in spec.features)}, embedding_dim=4,
        bottom_units=(16,), tower_units=(8,), dropout=0.0, embedding_l2=1e-5,
    )  # fmt: skip
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(InputPipeline(spec, Numbers(), 512, seed=1, cache="memory").training([str(log[0])]), epochs=4, verbose=0)
    return model


@pytest.fixture(scope="module")
def models(log):
    return {name: trained(spec, log) for name, spec in (("only", SPEC), ("plain", PLAIN), ("without", WITHOUT))}


@pytest.mark.slow
def test_share_of_the_oracle_rises_and_falls_without(models, log):
    """The truth is that of position 1, where the next list shows its best item."""
    _, rows, truth = log
    features = {name: rows[name].to_numpy() + 1 for name in ("item", "group", "position")}

    def share(name):
        given = {**features, "position": np.full(len(rows), 2)} if name == "only" else features
        if name == "without":
            given.pop("position")
        scores = models[name].predict(given, batch_size=8192, verbose=0)["ctr"]
        oracle = auc_of_probabilities(truth, truth) - 0.5
        return (auc_of_probabilities(truth, scores) - 0.5) / oracle, scores.mean() / truth.mean()

    (only, calibration), (plain, _), (without, biased) = (share(name) for name in ("only", "plain", "without"))
    assert only > 0.97
    assert plain < 0.95  # An item that was shown at the top by its promotion is scored as if it always were.
    assert without < 0.92  # The clicks of promoted items are taken for their relevance.
    assert biased + 0.2 < calibration < 1.15  # Few of the rows are at position 1.


@pytest.fixture(scope="module")
def exported(models, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export") / "1")
    export(models["only"], Numbers(), folder)
    return folder


def test_signatures_take_the_other_features_only(exported, models):
    loaded = tf.saved_model.load(exported)
    inputs = {name: set(loaded.signatures[name].structured_input_signature[1]) for name in (RAW, TRANSFORMED)}
    assert inputs == {RAW: {"item", "group"}, TRANSFORMED: {"item", "group"}}
    items, groups = np.arange(30), np.arange(30) % 6
    expected = models["only"].score(
        {"item": items + 1, "group": groups + 1, "position": np.full(30, 2)}
    )["ctr"].numpy()  # fmt: skip
    raw = {"item": tf.constant([str(i) for i in items]), "group": tf.constant([str(i) for i in groups])}
    ids = {"item": tf.constant(items + 1), "group": tf.constant(groups + 1)}
    examples = []
    for item, group in zip(items, groups, strict=True):
        example = tf.train.Example()
        for name, value in (("item", item), ("group", group), ("position", 7)):  # That of a log is ignored.
            example.features.feature[name].bytes_list.value.append(str(value).encode())
        examples.append(example.SerializeToString())
    for signature, tensors in ((RAW, raw), (TRANSFORMED, ids), (SERVING_DEFAULT, {"examples": tf.constant(examples)})):
        np.testing.assert_allclose(loaded.signatures[signature](**tensors)["ctr"], expected, atol=1e-6)
    assert len(set(expected.round(5))) > 10


def test_the_export_passes_its_check(exported):
    assert not check_export(exported).errors


def test_clients_ignore_the_column_of_a_log(exported):
    loaded = tf.saved_model.load(exported)
    text = loaded.signatures[DESCRIPTION](rows=tf.constant([b""]))[DESCRIPTION].numpy()[0].decode()
    description = ModelDescription.from_json(text)
    assert description.training_only == ("position",)
    assert description.spec == SPEC.served
    graphs = loader_impl.parse_saved_model(exported).meta_graphs
    features = features_of(graphs[0].signature_def[RAW])
    rows = [{"item": "3", "group": "1", "position": "4"}]
    assert len(Batch(rows, features, description)) == 1
    with pytest.raises(RowError, match="slot"):
        Batch([{"item": "3", "group": "1", "slot": "4"}], features, description)


def test_a_spec_without_such_features_keeps_its_transform():
    transform = Numbers()
    assert served_transform(transform, WITHOUT) is transform


@pytest.mark.slow
def test_effects_are_the_mean_scores_by_value(models, log, tmp_path):
    files = {"train": [str(log[0])], "eval": [str(log[0])]}
    (effect,) = measure_effects(models["only"], SPEC, Numbers(), files)
    assert (effect.feature, effect.served) == ("position", "1")
    assert effect.values == tuple(map(str, range(1, 9)))
    assert list(effect.means["ctr"]) == sorted(effect.means["ctr"], reverse=True)
    rows = next(iter(InputPipeline(SPEC, Numbers(), 1000).first_rows(files["eval"], 1000)))[0]
    fourth = models["only"].score({**rows, "position": np.full(1000, 5)})["ctr"].numpy().mean()
    assert effect.means["ctr"][3] == pytest.approx(fourth, rel=1e-5)
    write_effects(str(tmp_path), (effect,))
    assert read_effects(str(tmp_path)) == (effect,)
    assert measure_effects(models["without"], WITHOUT, Numbers(), files) == ()
    assert read_effects(str(tmp_path / "none")) == ()
