"""Option `sequences`: a field for each position of a sequence instead of their mean, in every model."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.graphs import tensors_of_shape
from tests.tfmtl.model_harness import assert_trains_saves_and_loads
from tests.tfmtl.numpy_layers import relu_layers, tower
from tests.tfmtl.panel_cases import LENGTHS, ROWS, SIZES, SPEC
from tests.tfmtl.tiny_models import BASELINES, tiny, tiny_randomized
from tfmtl import DatasetSpec
from tfmtl.config import ConfigError
from tfmtl.models import M2M, AdaFTR
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning
from tfmtl.training.warm_start import warm_start

FEATURES, LABELS = panel_cases.features(9), panel_cases.labels(9)
NAMES = [*BASELINES, "shared_bottom", "mmoe", "man", "apem"]
ALL = pytest.mark.parametrize("name", NAMES)
SEQUENCES = ("logins", "campaign", "clicks")
POSITIONS = {name: LENGTHS[name] if name in SEQUENCES else 1 for name in ROWS}


def model_of(name, spec=SPEC, sizes=SIZES, **options):
    return tiny_randomized(name, spec, sizes=sizes, **{"sequences": "concat", **options})


def fields(table, features, row):
    """Fields of one row in the order of the spec, with one field per position, `(fields, width)`."""
    found, first = [], 0
    for name, count in ROWS.items():
        ids = np.atleast_1d(features[name][row])
        weights = features[name + "__weights"][row] if name in LENGTHS else np.ones(1)
        rows = table[first + ids] * weights[:, None]
        if name in SEQUENCES or name not in LENGTHS:
            found += list(rows)
        else:
            found.append(rows.sum(axis=0) / max(weights.sum(), 1e-9))
        first += count
    assert first == len(table)
    return np.stack(found)


def test_shared_bottom_reads_each_position():
    model = model_of("shared_bottom")
    table = model.embedding.get_weights()[0]
    flat = np.stack([fields(table, FEATURES, row).ravel() for row in range(9)])
    shared = relu_layers(flat, model.bottom.get_weights())
    for name, logits in model(FEATURES).items():
        np.testing.assert_allclose(logits, tower(model.towers[name], shared), rtol=1e-4, atol=1e-5)
        assert np.ptp(logits) > 0.1


@ALL
def test_embedded_fields(name):
    """The fields are rows of the table; in `single_task`, its columns are the tables of the tasks."""
    model = model_of(name)
    table = model.embedding.get_weights()[0]
    expected = np.stack([fields(table, FEATURES, row) for row in range(9)])
    assert expected.shape[1] == sum(POSITIONS.values()) == 3 + 4 + 4 + 3 + 1
    np.testing.assert_allclose(model.embed(FEATURES), expected, atol=1e-6)
    assert model_of(name, sequences="mean").embed(FEATURES).shape[1] == len(SPEC.features)


def reversed_features(features, name):
    """Features with the positions of a sequence in the opposite order."""
    return {**features, **{key: features[key][:, ::-1] for key in (name, name + "__weights")}}


def order_effect(model, name, rows=slice(None)):
    """Largest change of a logit if the positions of a sequence are in the opposite order."""
    here, there = model(FEATURES), model(reversed_features(FEATURES, name))
    return max(np.abs(logits - there[task])[rows].max() for task, logits in here.items())


@ALL
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_order_of_positions_matters_if_they_are_concatenated(name, sequence):
    assert order_effect(model_of(name), sequence) > 1e-3
    assert order_effect(model_of(name, sequences="mean"), sequence) < 1e-4


def test_order_of_positions_does_not_matter_to_a_set():
    """The fields are a set for the inducing points of APEM as written, if there are no selectors."""
    as_set = {"asrg": "static", "position_keys": False, "fields_in_tower": False}
    assert order_effect(model_of("apem", **as_set), "clicks") < 1e-4
    assert order_effect(model_of("apem", **{**as_set, "position_keys": True}), "clicks") > 1e-3


@ALL
def test_id_of_an_absent_position_does_not_matter(name):
    model = model_of(name)
    others = dict(FEATURES)
    for sequence in SEQUENCES:
        others[sequence] = np.where(FEATURES[sequence + "__weights"] == 0, ROWS[sequence] - 1, FEATURES[sequence])
    for task, logits in model(FEATURES).items():
        np.testing.assert_array_equal(logits, model(others)[task])


@ALL
def test_training_saving_and_loading(name, tmp_path):
    model = tiny(name, SPEC, SIZES, sequences="concat")
    assert model.options.sequences == "concat"
    assert_trains_saves_and_loads(model, FEATURES, LABELS, tmp_path, fall=0.02, epochs=9, rate=0.03, eagerly=True)


@ALL
def test_gradient_holds_only_rows_that_are_looked_up(name):
    model = model_of(name, embedding_l2=0.01)
    with tf.GradientTape() as tape:
        loss = model.compute_losses(FEATURES, LABELS).total
    gradient = tape.gradient(loss, model.embedding.table.value)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(np.unique(gradient.indices), model.embedding.unique_rows(FEATURES))


def test_training_step_does_not_read_the_whole_table():
    model = model_of("shared_bottom", sizes={**SIZES, "campaign": 12345})
    model.compile(RowSparseAdam(0.01))
    shape = model.embedding.table.shape
    data = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(9)
    step = tf.function(model.train_step, autograph=False).get_concrete_function(data.element_spec)
    assert tensors_of_shape(step, tuple(shape)) == []


def test_embedding_l2_includes_every_position():
    model = model_of("shared_bottom", embedding_l2=0.03)
    table = model.embedding.get_weights()[0]
    expected = np.mean([(fields(table, FEATURES, row) ** 2).sum() for row in range(9)])
    model(FEATURES)
    np.testing.assert_allclose(sum(model.losses), 0.03 * expected, rtol=1e-5)


def test_meta_learning():
    """The inner step reads rows of the table from a tensor."""
    model = model_of("shared_bottom")
    features, labels = panel_cases.features(40), panel_cases.labels(40)
    before = float(model.compute_losses(features, labels, training=False).total)
    strategy = MetaLearning(episodes=1, inner_learning_rate=0.05)
    model.compile(RowSparseAdam(0.01), strategy=strategy, run_eagerly=True)
    model.fit(features, labels, batch_size=40, epochs=3, verbose=0)
    assert float(model.compute_losses(features, labels, training=False).total) < before


def test_m2m_concatenates_sequences_outside_its_groups():
    spec = DatasetSpec.from_yaml(SPEC.to_yaml().replace("performance:", "money:"))
    options = {**panel_cases.OPTIONS, "embedding_l2": 0.03}
    means, apart = (M2M.from_spec(spec, SIZES, **options, sequences=way) for way in ("mean", "concat"))
    assert apart.experts.weights[0].shape[1] - means.experts.weights[0].shape[1] == (3 - 1) * 4
    days = FEATURES["clicks__weights"].sum(axis=1) > 1
    rng = np.random.default_rng(3)
    for model, sees in ((means, False), (apart, True)):
        model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.weights])
        assert (order_effect(model, "clicks", days) > 1e-3) == sees
    table = apart.embedding.get_weights()[0]
    expected = 0.0
    for row in range(9):
        found, first = fields(table, FEATURES, row), 0
        for name, positions in POSITIONS.items():
            squares = (found[first : first + positions] ** 2).sum()
            mean = name in ("logins", "campaign")  # Encoded sequences.
            expected += squares / (max(FEATURES[name + "__weights"][row].sum(), 1) if mean else 1) / 9
            first += positions
    apart(FEATURES)
    np.testing.assert_allclose(sum(apart.losses), 0.03 * expected, rtol=1e-5)


def test_adaftr_passes_the_option_to_its_backbone():
    backbone = {"num_experts": 2, "expert_units": [6], "tower_units": [6, 4]}
    model = AdaFTR.from_spec(cases.pair(), cases.SIZES, embedding_dim=3, sequences="concat", backbone_options=backbone)
    assert model.backbone.embedding.unpooled == ("history",)
    assert model.embed(cases.features(5)).shape == (5, 3 + 4, 3)


def test_warm_start_rejects_another_value():
    spec = cases.pair()
    vocabularies = {name: [b"%d" % i for i in range(size)] for name, size in cases.SIZES.items()}
    for name in ("shared_bottom", "apem"):
        old = model_of(name, spec, cases.SIZES, sequences="mean")
        model = model_of(name, spec, cases.SIZES)
        with pytest.raises(ValueError, match=r"`sequences` should be mean, as in the old model.*Received: concat"):
            warm_start(model, vocabularies, old, vocabularies)
        same = model_of(name, spec, cases.SIZES)
        warm_start(model, vocabularies, same, vocabularies)


def test_rejects_unknown_value():
    with pytest.raises(ConfigError, match=r"sequences: should be one of mean, concat\. Received: 'sum'"):
        model_of("shared_bottom", sequences="sum")
