"""Loop of a search, without training: first trial, proposals, early stopping, failures, and continuation."""

import dataclasses
import json
import types

import pytest

from pipelines.search.median_rule import MIN_TRIALS
from pipelines.training_settings import TrainingSettings
from pipelines.tuning import search as subject
from pipelines.tuning.search import ranked
from pipelines.tuning.trials import TrialFolder
from tests.pipelines.tuning.cases import EPOCHS, Observer, plan, run
from tfmtl.config import Document, build


def comparable(trials):
    """Trials without the seconds that they took."""
    return [dataclasses.replace(one, seconds=0.0) for one in trials]


@pytest.fixture
def made(tmp_path):
    return plan(tmp_path / "settings")


def test_first_trial_has_the_settings_as_they_are(made, tmp_path):
    (first,), fake, _ = run(made, tmp_path, 1)
    assert first.values == {"options.dropout": 0.0, "training.learning_rate": 0.05}
    assert fake.requests[0].options == made.options
    assert fake.requests[0].training == made.training
    assert (first.number, first.status, first.epoch, first.epochs) == (1, "finished", EPOCHS, EPOCHS)


def test_trials_follow_the_objective_and_the_best_is_ranked_first(made, tmp_path):
    trials, fake, observer = run(made, tmp_path, 14)
    best = ranked(made, trials)[0]
    assert best.metric > 0.995
    assert best.number > MIN_TRIALS, "it is not one of the random trials"
    assert abs(best.values["options.dropout"] - 0.2) < 0.1
    assert best.options["dropout"] == best.values["options.dropout"]
    assert best.training["learning_rate"] == best.values["training.learning_rate"]
    assert best.options["num_experts"] == 2, "an option outside the space"
    assert {request.model for request in fake.requests} == {"mmoe"}
    assert [one.number for one in observer.ended] == observer.started == list(range(1, 15))
    metrics = [one.metric for one in ranked(made, trials)]
    assert metrics == sorted(metrics, reverse=True)


def test_trials_below_the_median_stop_early(made, tmp_path):
    trials, fake, _ = run(made, tmp_path, 12)
    assert all(one.status == "finished" for one in trials[:MIN_TRIALS])
    stopped = [one for one in trials if one.status == "stopped"]
    assert stopped
    assert all(2 <= one.epochs < EPOCHS for one in stopped)
    assert fake.requests[MIN_TRIALS - 1].thresholds == [None] * EPOCHS
    assert fake.requests[MIN_TRIALS].thresholds[0] is None
    assert fake.requests[MIN_TRIALS].thresholds[1] < fake.requests[MIN_TRIALS].thresholds[2]


def test_training_with_a_second_stage_is_not_stopped(tmp_path):
    training = {"max_epochs": EPOCHS, "learning_rate": 0.05, "fine_tuning": {"max_epochs": 1}}
    made = plan(tmp_path / "settings", training=training)
    trials, fake, _ = run(made, tmp_path, 8)
    assert all(one.status == "finished" for one in trials)
    sent = build(TrainingSettings, Document(dict(fake.requests[-1].training)))
    assert sent.second_stage.monitor == "ctcvr_auc"


def test_loss_is_minimized(tmp_path):
    made = plan(tmp_path / "settings", training={"max_epochs": EPOCHS, "learning_rate": 0.05, "monitor": "click_loss"})
    trials, _, _ = run(made, tmp_path, 8)
    metrics = [one.metric for one in ranked(made, trials)]
    assert metrics == sorted(metrics)
    assert metrics[0] == pytest.approx(-1, abs=0.1), "the fake objective of a loss is the negative score"


def test_failed_trial_is_recorded_and_the_search_goes_on(made, tmp_path):
    trials, _, observer = run(made, tmp_path, 9, fails=(2, 7))
    assert [one.number for one in trials if one.status == "failed"] == [2, 7]
    assert len(trials) == 9
    assert len(ranked(made, trials)) == 7
    assert observer.ended[1].error == "loss is nan in epoch 1"
    assert TrialFolder(tmp_path).log(2).read_text() == "epoch 1\nloss: nan\n"
    assert not TrialFolder(tmp_path).log(3).exists()
    again, fake, _ = run(made, tmp_path, 9)
    assert fake.requests == [], "a failed trial is not repeated, as it would fail again"
    assert again == trials


def test_search_continues_with_the_trials_that_it_would_have_run(made, tmp_path):
    whole, _, _ = run(made, tmp_path / "whole", 10)
    run(made, tmp_path / "parts", 4)
    run(made, tmp_path / "parts", 7)
    parts, fake, observer = run(made, tmp_path / "parts", 10)
    assert len(fake.requests) == 3
    assert observer.started == [8, 9, 10]
    assert [one.number for one in observer.ended] == list(range(1, 11)), "kept trials are reported too"
    assert comparable(parts) == comparable(whole)


def test_fewer_trials_than_kept_ones_are_the_first_of_them(made, tmp_path):
    whole, _, _ = run(made, tmp_path, 6)
    first, fake, _ = run(made, tmp_path, 3)
    assert fake.requests == []
    assert first == whole[:3]


def test_seed_and_method_determine_the_proposals(tmp_path):
    runs = {}
    for seed, method in ((0, "bayesian"), (0, "random"), (1, "bayesian")):
        made = plan(tmp_path / "settings", seed=seed, method=method)
        folder = tmp_path / made.key("data")
        runs[seed, method] = [one.values for one in run(made, folder, 9)[0]]
    assert len(list(tmp_path.glob("*/trial-0001.json"))) == 3, "each search has its own folder"
    assert runs[0, "bayesian"][:4] == runs[0, "random"][:4] != runs[1, "bayesian"][:4]
    assert runs[0, "bayesian"] != runs[0, "random"]


@pytest.mark.parametrize(
    ("code", "lines", "error"),
    [
        (-9, ["epoch 1\n"], "the process was ended by signal 9, probably for lack of memory"),
        (-11, [], "the process was ended by signal 11"),
        (1, ["Traceback\n", "ResourceExhaustedError: OOM\n", "\n"], "ResourceExhaustedError: OOM"),
        (3, [], "the process ended with code 3"),
    ],
)
def test_process_without_an_outcome_is_a_failed_trial(made, tmp_path, code, lines, error):
    execute = subject.in_worker(types.SimpleNamespace(folder=tmp_path), lambda *arguments: (code, lines))
    (trial,) = subject.search(made, "data", TrialFolder(tmp_path), 1, execute, Observer())
    assert (trial.status, trial.error, trial.metric) == ("failed", error, None)
    assert TrialFolder(tmp_path).load(1) == [trial]


def test_search_of_a_small_space_ends_early(tmp_path):
    space = {"options.dropout": {"kind": "choice", "values": [0.0, 0.1, 0.2]}}
    made = plan(tmp_path / "settings", tune={"space": space})
    trials, _, _ = run(made, tmp_path, 9)
    assert sorted(one.values["options.dropout"] for one in trials) == [0.0, 0.1, 0.2]


def test_trial_files_hold_everything_that_a_trial_is(made, tmp_path):
    (trial,), _, _ = run(made, tmp_path, 1)
    plain = json.loads((tmp_path / "trial-0001.json").read_text())
    assert plain == json.loads(json.dumps(dataclasses.asdict(trial)))
    assert set(plain) >= {"options", "training", "history", "status", "seconds", "code"}
    (tmp_path / ".tmp-trial-0002.json").write_text("{")  # Leftover of a killed process.
    assert TrialFolder(tmp_path).load(5) == [trial]
