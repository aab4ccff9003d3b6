"""Settings of a comparison: fields that all models share, and errors that name file, line and field."""

import pathlib

import pytest
import yaml

from pipelines.compare.plan.candidates import load_comparison
from tfmtl.config import ConfigError
from tfmtl.models import MODELS

EXAMPLES = pathlib.Path(__file__).parents[4] / "examples"


def document(**changes):
    plain = {
        "name": "small",
        "base": str(EXAMPLES / "demo.yaml"),
        "models": {
            "shared_bottom": {},
            "wide": {"name": "mmoe", "options": {"num_experts": 8}},
            "lightgbm": {},
        },
        "seeds": [1, 2],
        "reference": "shared_bottom",
    }
    return {**plain, **changes}


def load(tmp_path, plain, **options):
    path = tmp_path / "compare.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return load_comparison(path, **options)


def candidate(made, row):
    return {one.row: one for one in made.candidates}[row]


def test_models_share_options_training_monitor_and_simulator(tmp_path):
    plain = document(
        options={"embedding_l2": 1e-3},
        training={"max_epochs": 9},
        monitor="ctcvr_auc",
        simulator={"rows": 123},
    )
    plain["models"]["wide"] |= {"options": {"num_experts": 8, "embedding_dim": 5}, "training": {"batch_size": 32}}
    plain["preset"] = None
    made = load(tmp_path, plain, seeds=(7,))
    assert made.settings.seeds == (7,)
    assert made.base.simulator.rows == 123
    assert made.monitor == "ctcvr_auc"
    shared, wide = candidate(made, "shared_bottom"), candidate(made, "wide")
    assert shared.options == {"embedding_dim": 8, "embedding_l2": 1e-3}, "the embedding size of the base"
    assert wide.options == {"embedding_dim": 5, "embedding_l2": 1e-3, "num_experts": 8}
    assert wide.model == "mmoe"
    assert (shared.training["max_epochs"], shared.training["learning_rate"]) == (9, 1.6e-2)
    assert (wide.training["batch_size"], wide.training["monitor"]) == (32, "ctcvr_auc")
    assert "seed" not in shared.training
    assert candidate(made, "lightgbm").options == {}
    assert candidate(made, "lightgbm").training == {}


def test_shared_options_override_presets(tmp_path):
    plain = document(options={"embedding_dim": 6})
    plain["models"]["wide"] = {"name": "man", "preset": "ali_ccp_without_attention", "options": {"tower_units": [4]}}
    plain["models"]["alone"] = {"name": "man", "preset": "ali_ccp_without_attention", "options": {"attention": True}}
    made = load(tmp_path, plain)
    assert candidate(made, "wide").options == {"embedding_dim": 6, "attention": False, "tower_units": [4]}
    assert candidate(made, "alone").options == {"embedding_dim": 6, "attention": True}


def test_networks_have_the_preset_of_the_comparison_unless_they_name_one(tmp_path):
    plain = document(options={"embedding_dim": 6})
    plain["models"]["alone"] = {"name": "man", "preset": "ali_ccp"}
    made = load(tmp_path, plain)
    shared = candidate(made, "shared_bottom").options
    assert shared == {**MODELS.info("shared_bottom").preset("default"), "embedding_dim": 6}
    assert shared["wide"] is True
    assert "wide" not in candidate(made, "alone").options
    assert candidate(made, "lightgbm").options == {}
    assert candidate(load(tmp_path, {**plain, "preset": None}), "shared_bottom").options == {"embedding_dim": 6}
    with pytest.raises(ConfigError, match=r"compare.yaml:\d+: preset: should be a preset of SharedBottom: default, .*"):
        load(tmp_path, {**plain, "preset": "taobao"})


@pytest.mark.parametrize(
    ("field", "value"), [("row", "mmoe"), ("over", ["x"]), ("over", []), ("output", "rate"), ("metric", "calibration")]
)
def test_rejects_claims_about_unknown_rows_outputs_and_metrics(tmp_path, field, value):
    claim = {"text": "better", "row": "wide", "over": ["shared_bottom"], "output": "ctr"}
    assert load(tmp_path, document(claims=[claim])).settings.claims[0].metric is None
    with pytest.raises(ConfigError, match=rf"compare.yaml.*claims\[?.?0\]?.{field}.* should .*Received: "):
        load(tmp_path, document(claims=[{**claim, field: value}]))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("man", "should be a preset of MAN: default, ali_ccp, "),
        ("lightgbm", "should be omitted, as lightgbm has no presets"),
    ],
)
def test_rejects_unknown_presets(tmp_path, model, message):
    plain = document()
    plain["models"]["wide"] = {"name": model, "preset": "taobao"}
    with pytest.raises(ConfigError, match=f"models.wide.preset: {message}.*Received: 'taobao'"):
        load(tmp_path, plain)


def test_second_stage_has_the_monitor_of_the_comparison(tmp_path):
    plain = document(monitor="ctr_auc")
    plain["models"]["wide"]["training"] = {"fine_tuning": {"max_epochs": 1}}
    assert candidate(load(tmp_path, plain), "wide").training["fine_tuning"]["monitor"] == "ctr_auc"
    plain["models"]["wide"]["training"] = {"fine_tuning": {}}
    assert candidate(load(tmp_path, plain), "wide").training["fine_tuning"]["monitor"] == "ctr_auc"
    plain["base"] = str(EXAMPLES / "man.yaml")  # Its second stage has the loss as monitor.
    assert candidate(load(tmp_path, plain), "shared_bottom").training["fine_tuning"]["monitor"] == "ctr_auc"


def changed(path, value):
    plain = document()
    below = plain
    for name in path[:-1]:
        below = below.setdefault(name, {})
    below[path[-1]] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["seed"], 3, r"compare.yaml:\d+: seed: should be a field of CompareSettings. Did you mean `seeds`"),
        (["seeds"], [], r"compare.yaml:\d+: seeds: should be at least one"),
        (["seeds"], [1, 1], r"seeds\[1\]: should be at least 0 and unique. Received: 1"),
        (["reference"], "ple9", r"reference: should be one of the models: shared_bottom, wide, lightgbm"),
        (["baselines"], ["none"], r"baselines\[0\]: should be one of the models"),
        (["gain"], "absolute", r"gain: should be one of difference, relative, relaimpr"),
        (["monitor"], "cvr_gauc", r"compare.yaml:\d+: monitor: should be one of loss, click_loss"),
        (
            ["models", "mmo"],
            {},
            r"compare.yaml:\d+: models.mmo: should be one of .*, logistic_regression. Received: 'mmo'",
        ),
        (["models", "wide", "name"], "wider", r"models.wide.name: should be one of"),
        (
            ["models", "wide", "options"],
            {"experts": 3},
            r"compare.yaml:\d+: models.wide.options.experts: should be a f",
        ),
        (["models", "wide", "options"], {"num_experts": 0}, r"models.wide.options.num_experts: should be at least 1"),
        (["models", "wide", "options"], {"task_weights": {"view": 1}}, r"options.task_weights.view: should be a task"),
        (["models", "wide", "training"], {"patience": 0}, r"models.wide.training.patience: should be at least 1"),
        (
            ["models", "wide", "training"],
            {"seed": 1},
            r"wide.training.seed: should be omitted, as the comparison sets it",
        ),
        (
            ["models", "wide", "training"],
            {"monitor": "loss"},
            r"models.wide.training.monitor: should be omitted, as the comp",
        ),
        (
            ["models", "wide", "training"],
            {"warm_start": "latest"},
            r"models.wide.training.warm_start: should be omitted, as the",
        ),
        (
            ["models", "wide", "training"],
            {"fine_tuning": {"monitor": "loss"}},
            r"models.wide.training.fine_tuning.monitor: should be omitted, as the comparison sets it. Received: 'loss'",
        ),
        (
            ["training"],
            {"fine_tuning": {"monitor": "loss"}},
            r"\d: training.fine_tuning.monitor: should be omitted, as",
        ),
        (
            ["models", "lightgbm", "training"],
            {"patience": 2},
            r"models.lightgbm: should have no training settings",
        ),
        (["models", "lightgbm", "options"], {"num_leaves": 1}, r"models.lightgbm.options.num_leaves: should be at lea"),
        (["models", "last_week"], {}, r"models.last_week.options.series: should be used with tasks that are counts"),
        (["options"], {"dim": 3}, r"compare.yaml:\d+: options.dim: should be a field of SharedBottomOptions"),
        (["training"], {"warm_start": "latest"}, r"training.warm_start: should be null"),
        (["simulator"], {"row": 3}, r"compare.yaml:\d+: simulator.row: should be a field of SimulatorOptions"),
        (["trials"], -1, r"compare.yaml:\d+: trials: should be at least 0"),
        (["finalists"], 1, r"compare.yaml:\d+: finalists: should be at least 2"),
        (["finalist_seeds"], [11, 0], r"compare.yaml:\d+: finalist_seeds\[1\]: should be .* neither tuning_seed"),
        (["jobs"], 0, r"compare.yaml:\d+: jobs: should be at least 1. Received: 0"),
        (["search"], "grid", r"compare.yaml:\d+: search: should be one of halving, bayesian, random. Received: 'grid'"),
        (["halving"], {"eta": 1}, r"compare.yaml:\d+: halving.eta: should be at least 2. Received: 1"),
        (["fixed"], ["wide"], r"compare.yaml:\d+: fixed\[0\]: should be options.<field> or training.<field>"),
        (["base"], "not_there.yaml", r"not_there.yaml: should be a readable YAML file"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path, path, value, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, changed(path, value))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"num_experts": {"kind": "range", "low": 1, "high": 2}}, r"should be options.<field> or training.<field>"),
        ({"options.num_experts": {"kind": "range", "low": 0, "high": 2, "whole": True}}, r"valid values. Received: 0"),
        ({"options.num_experts": {"kind": "range", "low": 1, "high": 2}}, r"valid values. Received: 1.0"),
        ({"options.expert_units": {"kind": "choice", "values": [[8], ["8"]]}}, r"valid values. Received: \['8'\]"),
        ({"training.optimiser": {"kind": "choice", "values": [1, 2]}}, r"valid values. Received: 1"),
        (
            {"training.seed": {"kind": "choice", "values": [1, 2]}},
            r"training.seed: should be omitted, as the comparison sets it",
        ),
        (
            {"training.monitor": {"kind": "choice", "values": ["loss", "ctr_auc"]}},
            r"should be omitted, as the comparison sets it",
        ),
        (
            {"training.warm_start": {"kind": "choice", "values": ["latest", None]}},
            r"should be omitted, as the comparison sets it",
        ),
        (
            {"training.fine_tuning.monitor": {"kind": "choice", "values": ["loss", "ctr_auc"]}},
            r"fine_tuning.monitor: should be omitted, as the comparison sets it",
        ),
        ({"options.num_experts": {"kind": "grid"}}, r"kind: should be one of choice, range"),
    ],
)
def test_rejects_invalid_search_spaces(tmp_path, space, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, changed(["models", "wide", "space"], space))
    assert "compare.yaml:" in str(caught.value)
