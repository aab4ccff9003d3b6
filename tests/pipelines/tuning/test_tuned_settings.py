"""Settings of the best trial: complete, accepted by `tfmtl run`, and equal to the settings of the trial."""

import dataclasses

import pytest

from pipelines.settings_file import load_settings
from pipelines.training_settings import TrainingSettings
from pipelines.tuning.plan import load_plan
from pipelines.tuning.report import best_table, changes, result, space_lines
from pipelines.tuning.tuned_settings import write_tuned_settings
from tests.pipelines.tuning.cases import SPACE, plan, run
from tfmtl.config import Document, build

UNITS = {"kind": "choice", "values": [[4], [8, 4]]}
EPSILON = {"kind": "choice", "values": [1e-7, 1e-3]}


@pytest.fixture
def made(tmp_path):
    space = {**SPACE, "options.tower_units": UNITS, "training.optimizer.epsilon": EPSILON}
    return plan(tmp_path / "settings", tune={"space": space})


def test_settings_of_the_best_trial_are_complete(made, tmp_path):
    trials, _, _ = run(made, tmp_path, 9, fails=(3,))
    path = tmp_path / "tuned.yaml"
    best = write_tuned_settings(path, made, trials, "examples/small.yaml")
    tuned = load_settings(path)
    assert best.number > 1
    assert tuned.model.options["dropout"] == best.values["options.dropout"]
    assert list(tuned.model.options["tower_units"]) == list(best.values["options.tower_units"])
    assert tuned.training.learning_rate == best.values["training.learning_rate"]
    assert tuned.training.optimizer.epsilon == best.values["training.optimizer.epsilon"]
    assert tuned.training.monitor == "ctcvr_auc", "the trial stopped by it"
    assert dataclasses.replace(tuned, model=made.settings.model, training=made.settings.training) == made.settings
    assert tuned.training == build(TrainingSettings, Document(best.training))
    text = path.read_text()
    assert text.startswith("# Settings of examples/small.yaml with the hyper-parameters of the best trial")
    assert f"# Best:     trial {best.number}, ctcvr_auc {best.metric:.4f} on the eval split" in text
    assert "9 trials" in text
    assert "1 failed" in text
    assert f"#   training.learning_rate: 0.05 -> {best.values['training.learning_rate']:.4g}" in text
    assert f"tfmtl run {path}" in text


def test_tuned_settings_can_be_tuned_again(made, tmp_path):
    trials, _, _ = run(made, tmp_path, 7)
    best = write_tuned_settings(tmp_path / "tuned.yaml", made, trials, "small.yaml")
    again = load_plan(tmp_path / "tuned.yaml")
    assert again.space == made.space
    assert again.given["options.dropout"] == best.values["options.dropout"]


def test_settings_that_no_trial_improves_remain(tmp_path):
    made = plan(tmp_path / "settings")
    trials, _, _ = run(made, tmp_path, 5, score=lambda request: float(request.training == made.training))
    best = write_tuned_settings(tmp_path / "tuned.yaml", made, trials, "small.yaml")
    assert best.number == 1
    assert "Changed:" not in (tmp_path / "tuned.yaml").read_text()
    assert load_settings(tmp_path / "tuned.yaml") == dataclasses.replace(
        made.settings, model=dataclasses.replace(made.settings.model, options=made.document.data["model"]["options"])
    )


def test_path_of_the_log_is_written(tmp_path):
    (tmp_path / "settings").mkdir()
    path = tmp_path / "settings" / "small.yaml"
    plan(tmp_path / "settings")
    made = load_plan(path, data="logs/today.csv")
    trials, _, _ = run(made, tmp_path, 2)
    write_tuned_settings(tmp_path / "tuned.yaml", made, trials, "small.yaml")
    assert load_settings(tmp_path / "tuned.yaml").data.path == "logs/today.csv"


def test_second_stage_has_the_objective_as_monitor(tmp_path):
    training = {"learning_rate": 0.05, "fine_tuning": {"max_epochs": 1}}
    made = plan(tmp_path / "settings", training=training)
    trials, _, _ = run(made, tmp_path, 3)
    write_tuned_settings(tmp_path / "tuned.yaml", made, trials, "small.yaml")
    assert load_settings(tmp_path / "tuned.yaml").training.second_stage.monitor == "ctcvr_auc"


def test_report_names_what_differs_from_the_settings(made, tmp_path):
    trials, _, _ = run(made, tmp_path, 12, fails=(2,))
    assert changes(made, trials[0]) == "settings as they are"
    assert result(made, trials[0]) == f"ctcvr_auc {trials[0].metric:.4f} in epoch 4 of 4"
    assert result(made, trials[1]) == "failed: loss is nan in epoch 1"
    unchanged = dataclasses.replace(trials[2], values={**made.given, "options.tower_units": (8, 4)})
    assert changes(made, unchanged) == "tower_units=[8, 4]"
    stopped = next(one for one in trials if one.status == "stopped")
    assert result(made, stopped).endswith(", stopped")
    assert best_table(made, trials).row_count == 10
    lines = space_lines(made)
    assert lines[0].split() == ["options.dropout", "0", "to", "0.5", "(now", "0)"]
    assert "0.0001 to 0.1 (log)  (now 0.05)" in lines[1]
