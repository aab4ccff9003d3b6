"""Single-Task, Cross-Stitch, OMoE, CGC, PLE and MRAN as models of the package: training, saving, extremes, options."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.model_harness import assert_finite_losses_and_gradients, assert_trains_saves_and_loads, config_error
from tests.tfmtl.tiny_models import BASELINES, tiny, tiny_randomized
from tfmtl.models import AdaFTR, model_class
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning

ALL = pytest.mark.parametrize("name", BASELINES)
FEATURES = cases.features(7)
TREE = cases.FEATURES + cases.CLICK + cases.BUY + "  - {name: like, label: liked, follows: click}\n"


@ALL
def test_training_saving_and_loading(name, tmp_path):
    features, labels = cases.features(60), cases.labels(cases.pair(), 60)
    options = {"space": "conditional", "dropout": 0.1}
    model = tiny(name, **options)
    assert type(model) is model_class(name)
    assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=0.02, epochs=9, rate=0.03)


@pytest.mark.parametrize("name", ["single_task", "ple"])
def test_meta_learning_of_a_tree_of_tasks(name):
    spec = cases.DatasetSpec.from_yaml(TREE)
    model = tiny_randomized(name, spec)
    assert model.spaces == {"click": "entire", "buy": "entire", "like": "entire"}
    strategy = MetaLearning(episodes=1, inner_learning_rate=0.05)
    model.compile(RowSparseAdam(0.01), strategy=strategy, run_eagerly=True)
    features, labels = cases.features(40), cases.labels(spec, 40)
    before = float(model.compute_losses(features, labels, training=False).total)
    model.fit(features, labels, batch_size=40, epochs=3, verbose=0)
    assert float(model.compute_losses(features, labels, training=False).total) < before


@ALL
def test_count_tasks_of_panels(name):
    model = tiny(name, panel_cases.SPEC, panel_cases.SIZES)
    losses = model.compute_losses(panel_cases.features(9), panel_cases.labels(9))
    assert set(losses.tasks) == {"next_clicks", "next_pay"}
    assert np.isfinite(losses.total)


@ALL
@pytest.mark.parametrize(("rows", "bias"), [(1, 0.0), (7, -100.0), (7, 100.0)])
def test_extreme_batches(name, rows, bias):
    model = tiny_randomized(name, space="conditional")
    assert_finite_losses_and_gradients(model, rows, 2 * [bias])


@ALL
def test_second_stage_trains_the_towers(name):
    model = tiny_randomized(name)
    found = {weight.path for layer in model.upper_layers for weight in layer.trainable_variables}
    assert found == {weight.path for tower in model.towers.values() for weight in tower.trainable_variables}
    assert len(found) < len(model.trainable_variables)


@pytest.mark.parametrize(
    ("name", "preset", "dim", "widths"),
    [
        ("single_task", "apem_ali_ccp", 18, [256, 128, 64]),
        ("single_task", "apem_industrial", 18, [256, 128, 64]),
        ("single_task", "adaftr_ali_ccp", 8, [64, 32, 16]),
        ("single_task", "adaftr_ecomm_ads", 8, [128, 64, 32]),
        ("shared_bottom", "adaftr_ali_ccp", 8, [32, 16]),
        ("shared_bottom", "adaftr_ecomm_ads", 8, [64, 32]),
        ("cross_stitch", "adaftr_ali_ccp", 8, []),
        ("cross_stitch", "adaftr_ecomm_ads", 8, []),
        ("omoe", "man_ali_ccp", 5, [128, 16, 32]),
        ("mmoe", "man_ali_ccp", 5, [128, 16, 32]),
        ("mmoe", "adaftr_ali_ccp", 8, [64, 32, 16]),
        ("mmoe", "adaftr_ecomm_ads", 8, [128, 64, 32]),
        ("mran", "m2m_taobao", 16, [64, 32]),
        ("ple", "man_ali_ccp", 5, [128, 16, 32]),
        ("ple", "adaftr_ali_ccp", 8, [64, 32, 16]),
        ("ple", "adaftr_ecomm_ads", 8, [128, 64, 32]),
    ],
)
def test_presets_have_the_sizes_of_the_papers(name, preset, dim, widths):
    model = model_class(name).from_spec(cases.pair(), cases.SIZES, **model_class(name).preset(preset))
    taps = model.inspect(FEATURES)
    assert model.options.embedding_dim == dim
    assert [taps[f"tower/buy/{i}"].shape[1] for i in range(len(widths))] == widths
    assert f"tower/buy/{len(widths)}" not in taps
    assert model.spaces["buy"] == ("conditional" if preset.startswith("adaftr") else "entire")
    gates = {tap.shape[1] for path, tap in taps.items() if path.startswith(("gate/buy", "gate/all-tasks"))}
    seen = {"omoe": {8}, "mmoe": {8 if dim == 5 else 3}, "ple": {8 if dim == 5 else 2}}
    assert gates == seen.get(name, set())


def test_every_preset_is_tested():
    (mark,) = test_presets_have_the_sizes_of_the_papers.pytestmark
    kinds = {*BASELINES, "mmoe", "shared_bottom"}
    presets = {(name, preset) for name in kinds for preset in model_class(name).presets}
    assert presets == {(name, preset) for name, preset, *_ in mark.args[1]}


@pytest.mark.parametrize("backbone", ["shared_bottom", "ple"])
def test_adaftr_with_the_backbones_of_table_6(backbone):
    model = AdaFTR.from_spec(cases.pair(), cases.SIZES, **AdaFTR.preset(f"ecomm_ads_{backbone}"))
    assert type(model.backbone) is model_class(backbone)
    alone = model_class(backbone).preset("adaftr_ecomm_ads")
    assert alone == {"embedding_dim": 8, "space": "conditional", **model.options.backbone_options}
    assert model.spaces["buy"] == "conditional"
    model.compile(RowSparseAdam(0.01))
    batch = tuple({k: tf.constant(v) for k, v in d.items()} for d in (FEATURES, cases.labels(cases.pair(), 7)))
    before = float(model.compute_losses(*batch).total)
    for _ in range(3):
        logs = model.train_step(batch)
    assert float(model.compute_losses(*batch).total) < before
    assert {"buy_contrastive_loss", "buy_relatedness_loss"} <= set(logs)


def test_rejects_wrong_options():
    def message(name, **changed):
        return config_error(tiny, name, **changed)

    for name in BASELINES:
        assert message(name, dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
        assert message(name, tower_units=[0]) == "tower_units: should be positive widths. Received: (0,)"
        assert message(name, embedding_dim=0) == "embedding_dim: should be at least 1. Received: 0"
    for name in ("omoe", "cgc", "ple"):
        expected = "expert_units: should be one or more positive widths. Received: ()"
        assert message(name, expert_units=[]) == expected
    for name in ("cgc", "ple"):
        assert message(name, num_shared=0) == "num_shared: should be at least 1. Received: 0"
        assert message(name, num_per_task=0) == "num_per_task: should be at least 1. Received: 0"
    assert message("ple", num_levels=0) == "num_levels: should be at least 1. Received: 0"
    assert message("omoe", num_experts=0) == "num_experts: should be at least 1. Received: 0"
    expected = "network_units: should be one or more positive widths. Received: ()"
    assert message("cross_stitch", network_units=[]) == expected
    assert message("cross_stitch", own=1.5) == "own: should be in [0, 1]. Received: 1.5"
