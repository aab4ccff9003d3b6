"""Spaces of rows that have none of their own: every tunable row is searched alike."""

import re

import pytest

from pipelines.compare.plan.candidates import load_comparison
from pipelines.compare.runs.search import trial_job
from pipelines.search.proposals import draw_others
from pipelines.search.space import TRAINING
from pipelines.training_settings import TrainingSettings
from tests.pipelines.compare.plan.test_settings import EXAMPLES, candidate, document, load
from tfmtl import config
from tfmtl.models import MODELS, ModelOptions
from tfmtl.search_space import Choice, Range

COMMON = {"training.learning_rate", "training.optimizer.epsilon", "options.embedding_l2", "options.wide"}
MAML = {"strategy": {"kind": "maml", "group_by": "scenario"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    plain = document(trials=9)
    plain["models"] = {
        **{name: {} for name in sorted(MODELS) if name != "m2m"},
        "lightgbm": {},
        "logistic_regression": {},
        "meta": {"name": "man", "training": MAML},
        "own": {"name": "mmoe", "space": {"options.dropout": {"kind": "range", "low": 0.1, "high": 0.2}}},
    }
    return load(tmp_path_factory.mktemp("compare"), plain)


def test_every_network_has_learning_rate_epsilon_width_and_regularization(made):
    for name in sorted(set(MODELS) - {"m2m"}):
        one = candidate(made, name)
        assert set(one.space) > COMMON, name
        assert any(field.endswith("_units") for field in one.space), name
        assert any(field.endswith("dropout") for field in one.space), name
        assert not {"options.embedding_dim", "training.batch_size"} & set(one.space), "fixed by the comparison"
        assert 6 <= len(one.space) <= 10, name
        assert one.given["training.learning_rate"] == 1.6e-2, "the settings of the base"
        assert one.given["training.optimizer.epsilon"] == 1e-3, "a default"


def test_models_have_hyper_parameters_of_their_own(made):
    expected = {
        "adaftr": {"options.beta", "options.contrast_scope", "options.backbone_options.expert_units"},
        "aitm": {"options.calibrator"},
        "autoheri": {"options.network_units"},
        "cross_stitch": {"options.own"},
        "escm2_dr": {"options.counterfactual_weight", "options.imputation_weight"},
        "meta": {"training.strategy.support_fraction", "training.strategy.inner_learning_rate"},
        "mran": {"options.num_heads"},
        "ple": {"options.num_levels"},
        "lightgbm": {"options.num_leaves", "options.learning_rate", "options.lambda_l2"},
        "logistic_regression": {"options.inverse_regularization"},
    }
    for row, names in expected.items():
        assert names <= set(candidate(made, row).space), row
    assert candidate(made, "adaftr").space["options.beta"] == Range(1e-2, 30.0, log=True, digits=2)
    assert not [name for name in candidate(made, "man").space if name.startswith("training.strategy")]
    assert not [name for name in candidate(made, "lightgbm").space if name.startswith(TRAINING)]


def test_space_of_the_row_replaces_the_declared_one(made):
    assert list(candidate(made, "own").space) == ["options.dropout"]


def test_no_row_has_a_declared_space_without_trials(tmp_path):
    assert {len(one.space) for one in load(tmp_path, document()).candidates} == {0}
    assert "optimizer" not in candidate(load(tmp_path, document()), "wide").training, "keys of runs remain"


def test_fixed_hyper_parameters_are_those_of_the_settings(tmp_path):
    made = load(tmp_path, document(trials=9, fixed=["options.wide", "training.optimizer.epsilon"]))
    space = candidate(made, "shared_bottom").space
    assert {"options.embedding_dim", "training.batch_size"} < set(space)
    assert not {"options.wide", "training.optimizer.epsilon"} & set(space)


def test_values_that_do_not_fit_the_row_are_left_out(tmp_path):
    plain = document(trials=9, options={"embedding_dim": 6})
    plain["models"]["wide"] = {"name": "mran"}
    assert candidate(load(tmp_path, plain), "wide").space["options.num_heads"] == Choice((1, 2))


def test_every_drawn_setting_is_valid(made):
    for one in made.candidates:
        for number, values in enumerate(draw_others(one.space, one.given, 12, seed=3), 1):
            job = trial_job(one, values, made.settings, number)
            if one.model in MODELS:
                options = config.build(MODELS.info(one.model).options_class, config.Document(dict(job.options)))
                assert isinstance(options, ModelOptions)
                training = config.build(TrainingSettings, config.Document(dict(job.training)))
                assert training.learning_rate == values.get("training.learning_rate", 1.6e-2)
                if "training.optimizer.epsilon" in values:
                    assert training.optimizer.epsilon == values["training.optimizer.epsilon"]


def test_space_of_a_row_may_hold_an_option_of_the_optimizer(tmp_path):
    plain = document(trials=4)
    plain["models"]["wide"]["space"] = {"training.optimizer.epsilon": {"kind": "choice", "values": [1e-7, 1e-4]}}
    one = candidate(load(tmp_path, plain), "wide")
    assert one.given == {"training.optimizer.epsilon": 1e-3}
    assert one.training["optimizer"]["kind"] == "adam"


def test_settings_of_the_documentation_are_valid(tmp_path):
    page = (EXAMPLES.parent / "docs" / "comparing.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```yaml\n(trials:.*?)```", page, re.DOTALL)
    made = load(tmp_path, document(**config.parse_yaml(first).data))
    assert (made.settings.trials, made.settings.jobs, made.settings.search) == (12, 2, "halving")
    assert [rung.trials for rung in made.settings.halving.schedule(12)] == [12, 4], "as the page says"
    plain = config.parse_yaml(second).data
    made = load(tmp_path, document(**plain, reference="mmoe"))
    assert list(candidate(made, "mmoe").space) == list(plain["models"]["mmoe"]["space"])


def test_number_of_runs_at_a_time_may_be_given(tmp_path):
    load(tmp_path, document(jobs=3))
    assert load_comparison(tmp_path / "compare.yaml").settings.jobs == 3
    assert load_comparison(tmp_path / "compare.yaml", jobs=2).settings.jobs == 2


@pytest.mark.parametrize("name", ["compare_panels", "compare_movielens"])
def test_examples_can_be_searched(name, tmp_path):
    path = EXAMPLES / f"{name}.yaml"
    document = config.read_yaml(path).data
    plain = {**document, "base": str(EXAMPLES / document["base"]), "trials": 12}
    for one in load(tmp_path, plain).candidates:
        tunable = one.model != "last_week"
        assert bool(one.space) == tunable, one.row
