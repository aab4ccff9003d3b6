"""The command on a comparison over worlds: order of the strengths, folders, and the settings that the search chose."""

import dataclasses
import types

import pytest

from pipelines.commands import compare_worlds as command
from pipelines.commands.compare import CompareArguments, Compared
from pipelines.compare.report.table import make_table
from pipelines.compare.runs.store import RunStore
from pipelines.compare.worlds.settings import World, WorldsPlan, WorldsSettings
from tests.pipelines.compare.cases import SPEC
from tests.pipelines.compare.fake_runs import comparison, run
from tfmtl.search_space import Choice

SPACE = {"options.noise": Choice((1.0, 3.0)), "training.learning_rate": Choice((0.25, 0.5))}


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Replaces the comparison of one world and strength by fake runs, and records what it was asked for."""
    made = []

    def compare_models(one, arguments):
        outcome, fake_runs, _ = run(RunStore(tmp_path / str(len(made)), "data", "c"), one)
        made.append(types.SimpleNamespace(comparison=one, arguments=arguments, jobs=fake_runs.jobs))
        return Compared(make_table(one.settings, SPEC, outcome.runs), outcome)

    monkeypatch.setattr(command, "compare_models", compare_models)
    return made


def plan():
    searched = comparison(SPACE, seeds=(1, 2), trials=4, search="random", baselines=("base",))
    others = dataclasses.replace(searched, settings=dataclasses.replace(searched.settings, trials=0))
    settings = WorldsSettings("worlds", {"shop": World("c.yaml", "ours", "ctr")})
    return WorldsPlan(settings, {("shop", 0.0): others, ("shop", 0.5): others, ("shop", 1.0): searched})


def test_strength_with_the_search_comes_first_and_the_others_have_its_choice(calls, tmp_path):
    assert command.compare_worlds(plan(), CompareArguments(out=str(tmp_path / "out")))
    assert [call.arguments.out for call in calls] == [str(tmp_path / "out" / f"shop_{s}") for s in ("1", "0", "0.5")]
    searched, *others = calls
    assert sum(job.trial is not None for job in searched.jobs) == 8
    chosen = {job.row: job.options["noise"] for job in searched.jobs if job.trial is None}
    assert chosen == {"base": 1.0, "ours": 1.0}  # Less noise than 2.0, that of the settings as they are.
    training = {job.row: job.training for job in searched.jobs if job.trial is None}
    assert all(one["learning_rate"] in (0.25, 0.5) for one in training.values())
    for call in others:
        assert all(job.training == training[job.row] for job in call.jobs)
        assert all(job.trial is None for job in call.jobs)
        assert len(call.jobs) == 4
        assert {job.options["noise"] for job in call.jobs} == {1.0}
    assert (tmp_path / "out" / "report" / "results.md").exists()
    assert {call.arguments.report for call in calls} == {
        str(tmp_path / "out/report" / f"shop_{s}") for s in (1, 0, 0.5)
    }
