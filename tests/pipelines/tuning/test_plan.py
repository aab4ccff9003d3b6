"""Plan of a search: its space, its objective and the values of the settings; mistakes are reported with their line."""

import re

import pytest

from pipelines.settings import TuneSettings
from pipelines.tuning.plan import load_plan
from tests.pipelines.tuning.cases import EXAMPLES, SPACE, plan, write
from tfmtl.config import ConfigError, parse_yaml
from tfmtl.search_space import Choice, Range


def test_space_is_that_of_model_optimizer_and_training(tmp_path):
    made = plan(tmp_path, tune=None)
    names = {"options.embedding_dim", "options.expert_units", "options.dropout", "options.wide"}
    names |= {"training.learning_rate", "training.optimizer.epsilon", "training.batch_size"}
    assert names < set(made.space)
    assert made.given["options.expert_units"] == [8]
    assert made.given["options.embedding_dim"] == 16, "a default"
    assert made.given["training.learning_rate"] == 0.05
    assert made.given["training.optimizer.epsilon"] == 1e-3


def test_space_has_no_values_that_do_not_fit_the_settings(tmp_path):
    model = {"name": "apem", "options": {"embedding_dim": 8, "num_heads": 8}}
    assert plan(tmp_path, tune=None, model=model).space["options.embedding_dim"] == Choice((8, 16, 32))
    model = {"name": "apem", "options": {"embedding_dim": 32, "num_heads": 32}}
    assert "options.embedding_dim" not in plan(tmp_path, tune=None, model=model).space


def test_space_of_another_optimizer(tmp_path):
    training = {"optimizer": {"kind": "adagrad"}}
    made = plan(tmp_path, tune=None, training=training)
    assert made.space["training.learning_rate"].high > 0.1
    assert "training.optimizer.epsilon" not in made.space


def test_space_of_the_settings_replaces_the_declared_one(tmp_path):
    made = plan(tmp_path)
    assert made.space == {
        "options.dropout": Range(0.0, 0.5, digits=3),
        "training.learning_rate": Range(1e-4, 1e-1, log=True, digits=3),
    }
    assert made.given == {"options.dropout": 0.0, "training.learning_rate": 0.05}


def test_objective_is_the_monitor_or_the_auc_of_the_last_task_over_all_rows(tmp_path):
    made = plan(tmp_path)
    assert (made.objective, made.maximize) == ("ctcvr_auc", True)
    assert made.settings.training.monitor == "ctcvr_auc"
    made = plan(tmp_path, training={"monitor": "conversion_loss"})
    assert (made.objective, made.maximize) == ("conversion_loss", False)
    assert plan(tmp_path, training={"monitor": "loss"}).objective == "loss", "a monitor that is given"


def test_key_depends_on_everything_but_the_number_of_trials(tmp_path):
    changes = [
        {},
        {"seed": 1},
        {"method": "random"},
        {"model": {"name": "mmoe", "options": {"num_experts": 3}}},
        {"training": {"learning_rate": 0.01}},
        {"tune": {"space": {"options.dropout": SPACE["options.dropout"]}}},
    ]
    keys = {plan(tmp_path, **change).key("data") for change in changes}
    assert len(keys | {plan(tmp_path).key("other data")}) == len(changes) + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tune": {"space": {"options.num_towers": {"kind": "choice", "values": [1, 2]}}}},
            r"tune.space.options.num_towers: should hold valid values. Received: 1 \(num_towers: should be a field",
        ),
        (
            {"tune": {"space": {"options.dropout": {"kind": "range", "low": 0.0, "high": 1.5}}}},
            r"tune.space.options.dropout: should hold valid values. Received: 1.5 \(dropout: should be in \[0, 1\)",
        ),
        (
            {"tune": {"space": {"training.seed": {"kind": "choice", "values": [1, 2]}}}},
            "tune.space.training.seed: should be omitted, as the search sets it",
        ),
        (
            {"tune": {"space": {"dropout": {"kind": "choice", "values": [0.1, 0.2]}}}},
            "tune.space.dropout: should be options.<field> or training.<field>",
        ),
        ({"tune": {"spaces": {}}}, "tune.spaces: should be a field of TuneSettings. Did you mean `space`"),
        ({"training": {"warm_start": "latest"}}, "training.warm_start: should be null, as every trial starts from"),
    ],
)
def test_rejects_mistakes_with_file_and_line(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=rf"small.yaml:\d+: {message}"):
        load_plan(path)


def test_space_of_the_wrapped_model(tmp_path):
    made = plan(tmp_path, tune=None, model={"name": "adaftr", "options": {"backbone": "shared_bottom"}})
    assert "options.backbone_options.bottom_units" in made.space
    assert "options.backbone_options.bottom_units" not in made.given, "its default is not written in the settings"


def test_settings_of_the_documentation_are_valid(tmp_path):
    page = (EXAMPLES.parent / "docs" / "training.md").read_text(encoding="utf-8")
    space, step = (parse_yaml(block).data["tune"] for block in re.findall(r"```yaml\n(tune:.*?)```", page, re.DOTALL))
    made = plan(tmp_path, tune=space)
    assert list(made.space) == list(space["space"])
    assert len(made.space) == 5
    assert plan(tmp_path, tune=step).settings.tune == TuneSettings(trials=12, method="bayesian", seed=0)
