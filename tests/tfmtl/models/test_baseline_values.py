"""Single-Task, Cross-Stitch, OMoE, CGC and PLE: the forward pass written out in NumPy, and differences between them."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.numpy_layers import embedded, experts, flat, gated, relu_layers, tower
from tests.tfmtl.tiny_models import OPTIONS, tiny_randomized
from tfmtl.models import CustomizedGateControl, SingleTask
from tfmtl.optimizers import RowSparseAdam
from tfmtl.spec import DatasetSpec

FEATURES = cases.features(7)
CHAIN = cases.chain()
TASKS = ["click", "buy", "back", "views"]


def assert_logits(model, expected):
    logits = model(FEATURES)
    assert list(logits) == list(expected) == TASKS
    for name, logit in logits.items():
        np.testing.assert_allclose(logit, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_single_task_equation():
    model = tiny_randomized("single_task", CHAIN)
    table = model.embedding.get_weights()[0]
    assert table.shape == (sum(cases.ROWS.values()), 4 * 4)
    columns = np.split(table, 4, axis=1)
    expected = {
        name: tower(model.towers[name], embedded(own, FEATURES).reshape(7, -1))
        for name, own in zip(TASKS, columns, strict=True)
    }
    assert_logits(model, expected)


def test_single_task_learns_what_separate_models_learn():
    """Two tasks in one model, and each in a separate model: equal after steps of Adam, with L2 and weight decay."""
    click = {"name": "click", "label": "clicked"}
    buy = {"name": "buy", "label": "bought"}
    base = cases.pair().to_dict()
    together, *alone = (DatasetSpec.from_dict({**base, "tasks": tasks}) for tasks in ([click, buy], [click], [buy]))
    options = {**OPTIONS["single_task"], "embedding_dim": 4, "embedding_l2": 0.01, "weight_decay": 0.01}
    both = SingleTask.from_spec(together, cases.SIZES, **options)
    singles = [SingleTask.from_spec(spec, cases.SIZES, **options) for spec in alone]
    columns = np.split(np.array(both.embedding.table), 2, axis=1)
    for single, table, name in zip(singles, columns, ("click", "buy"), strict=True):
        single.embedding.table.assign(table)
        single.towers[name].set_weights(both.towers[name].get_weights())
    features, labels = cases.features(60), cases.labels(cases.pair(), 60)
    rows = tf.data.Dataset.from_tensor_slices((features, labels)).batch(20)
    before = both(FEATURES)
    for model in (both, *singles):
        model.compile(RowSparseAdam(0.02))
        model.fit(rows, epochs=5, shuffle=False, verbose=0)
    after = both(FEATURES)
    for single, name in zip(singles, ("click", "buy"), strict=True):
        assert np.abs(after[name] - before[name]).max() > 0.1
        np.testing.assert_allclose(single(FEATURES)[name], after[name], rtol=1e-4, atol=1e-5)


def test_single_task_shares_no_weights():
    model = tiny_randomized("single_task", CHAIN, embedding_l2=0.0)
    for place, task in enumerate(TASKS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(FEATURES)[task])
        slopes = tape.gradient(loss, model.trainable_variables)
        table_slope = slopes.pop([v is model.embedding.table for v in model.trainable_variables].index(True))
        assert isinstance(table_slope, tf.IndexedSlices)
        columns = np.split(np.abs(table_slope.values).sum(axis=0), 4)
        assert [column.any() for column in columns] == [i == place for i in range(4)]
        others = [v for v in model.trainable_variables if v is not model.embedding.table]
        reached = {v.path for v, slope in zip(others, slopes, strict=True) if slope is not None}
        assert reached == {v.path for v in model.towers[task].trainable_variables}


@pytest.mark.parametrize("per_channel", [False, True])
def test_cross_stitch_equation(per_channel):
    model = tiny_randomized("cross_stitch", CHAIN, per_channel=per_channel)
    hiddens = dict.fromkeys(TASKS, flat(model, FEATURES))
    for i, width in enumerate((6, 5)):
        own = {name: relu_layers(hiddens[name], model.networks[f"{name}_{i}"].get_weights()) for name in TASKS}
        (units,) = model.stitches[i].get_weights()
        assert units.shape == (4, 4, width if per_channel else 1)
        hiddens = {name: sum(units[k, j] * own[o] for j, o in enumerate(TASKS)) for k, name in enumerate(TASKS)}
    assert_logits(model, {name: tower(model.towers[name], hiddens[name]) for name in TASKS})
    taps = model.inspect(FEATURES)
    np.testing.assert_array_equal(taps["cross_stitch/unit_1"], model.stitches[1].get_weights()[0])


def test_networks_without_stitches_are_independent():
    model = tiny_randomized("cross_stitch", CHAIN)
    identity = np.eye(4)[:, :, None]
    for weights, alike in ((identity, True), (0.9 * identity + 0.1 / 3 * (1 - identity), False)):
        for stitch in model.stitches:
            stitch.set_weights([weights])
        before = model(FEATURES)
        model.networks["buy_0"].set_weights([1.1 * weight for weight in model.networks["buy_0"].get_weights()])
        after = model(FEATURES)
        assert np.any(np.asarray(before["buy"]) != np.asarray(after["buy"]))
        for name in ("click", "back", "views"):
            assert np.all(np.asarray(before[name]) == np.asarray(after[name])) == alike


def test_omoe_equation():
    model = tiny_randomized("omoe", CHAIN)
    x = flat(model, FEATURES)
    mixed, _ = gated(model.gate, x, experts(model.experts, x))
    assert_logits(model, {name: tower(model.towers[name], mixed) for name in TASKS})
    assert model.inspect(FEATURES)["gate/all-tasks"].shape == (7, 3)


def test_cgc_equation():
    model = tiny_randomized("cgc", CHAIN)
    x = flat(model, FEATURES)
    bank = experts(model.cgc.experts, x)
    expected = {}
    for i, name in enumerate(TASKS):
        mixed, _ = gated(model.cgc.gates[name], x, [bank[i], *bank[4:]])
        expected[name] = tower(model.towers[name], mixed)
    assert_logits(model, expected)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_ple_equation(levels):
    model = tiny_randomized("ple", CHAIN, num_levels=levels)
    assert len(model.levels) == levels
    tasks, shared = dict.fromkeys(TASKS, flat(model, FEATURES)), flat(model, FEATURES)
    for level in model.levels:
        own = {name: experts(level.experts[name], tasks[name]) for name in TASKS}
        common = experts(level.shared_experts, shared)
        tasks = {name: gated(level.gates[name], tasks[name], [*own[name], *common])[0] for name in TASKS}
        if level is not model.levels[-1]:
            every = [expert for name in TASKS for expert in own[name]] + common
            shared, _ = gated(level.shared_gate, shared, every)
    assert_logits(model, {name: tower(model.towers[name], tasks[name]) for name in TASKS})


def test_ple_with_one_level_is_cgc():
    ple, cgc = tiny_randomized("ple", CHAIN, num_levels=1), tiny_randomized("cgc", CHAIN)
    (level,) = ple.levels
    banks = [*level.experts.values(), level.shared_experts]
    experts_weights = [np.concatenate(parts) for parts in zip(*(bank.get_weights() for bank in banks), strict=True)]
    assert isinstance(cgc, CustomizedGateControl)
    cgc.embedding.set_weights(ple.embedding.get_weights())
    cgc.cgc.experts.set_weights(experts_weights)
    for name in TASKS:
        cgc.cgc.gates[name].set_weights(level.gates[name].get_weights())
        cgc.towers[name].set_weights(ple.towers[name].get_weights())
    assert_logits(ple, cgc(FEATURES))
    assert ple.count_params() == cgc.count_params()


def test_ple_records_gates_of_each_level():
    taps = tiny_randomized("ple", CHAIN).inspect(FEATURES)
    gates = {name: tap.shape for name, tap in taps.items() if name.startswith("gate/")}
    assert gates == {
        **{f"gate/{name}/{level}": (7, 3) for name in TASKS for level in (0, 1)},
        "gate/shared-part/0": (7, 4 + 2),
    }
    for name in gates:
        np.testing.assert_allclose(np.sum(taps[name], axis=1), 1, atol=1e-6)
