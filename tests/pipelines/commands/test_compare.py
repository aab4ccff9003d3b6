"""Command `tfmtl compare`: one comparison in a folder at a time, and runs only on the data of the store."""

import json

import pytest

from pipelines.commands import compare as command
from pipelines.compare.plan.candidates import load_comparison
from pipelines.compare.runs.store import RunStore, lock_runs
from pipelines.compare.runs.subprocesses import RunFailedError, run_in_subprocess
from pipelines.fork_server import ForkServer
from pipelines.prepared.prepared import PREPARED, Prepared
from pipelines.progress.task import TITLE
from pipelines.worker_process import ONE_THREAD, run_worker
from tests.pipelines.compare.cases import SPEC, job
from tests.pipelines.compare.test_end_to_end import write
from tfmtl.config import ConfigError


def test_second_comparison_does_not_change_the_data(tmp_path, monkeypatch):
    prepared = []
    monkeypatch.setattr(command, "_prepare_data", lambda *given: prepared.append(given))
    out = tmp_path / "out"
    with lock_runs(out / command.RUNS), pytest.raises(ConfigError, match="should be used by one comparison at a time"):
        command.compare_models(load_comparison(write(tmp_path)), command.CompareArguments(out=str(out)))
    assert prepared == []


@pytest.mark.parametrize("step", ["_prepare_data", "_print_and_write"])
def test_folder_is_locked_from_the_first_to_the_last_step(tmp_path, monkeypatch, step):
    out = tmp_path / "out"

    def another(*_):
        with lock_runs(out / command.RUNS):
            pytest.fail("another comparison ran")

    data = Prepared(tmp_path, SPEC, "f00d", {})
    monkeypatch.setattr(command, "_prepare_data", lambda comparison, root: (comparison, data))
    monkeypatch.setattr(command, "_make_table", lambda *_: None)
    monkeypatch.setattr(command, step, another)
    with pytest.raises(ConfigError, match="should be used by one comparison at a time"):
        command.compare_models(load_comparison(write(tmp_path)), command.CompareArguments(out=str(out), kept_only=True))


def test_run_on_other_data_than_those_of_the_store_fails(tmp_path):
    (tmp_path / PREPARED).write_text(json.dumps({"spec": SPEC.to_dict(), "fingerprint": "other", "rows": {}}))
    store = RunStore(tmp_path / "runs", "f00d")
    with pytest.raises(RunFailedError, match=r"should hold the data f00d\. Received: other"):
        run_in_subprocess(job("base", 1), Prepared(tmp_path, SPEC, "f00d", {}), store, lambda line: None)
    assert store.get(job("base", 1)) is None


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_beside_others_compute_with_one_thread(tmp_path, monkeypatch, jobs):
    given = []

    class Runs(ForkServer):
        def run(self, module, arguments, request, on_line, environment=None):
            given.append(environment)
            return super().run("tests.pipelines.commands.print_threads", [], request, given.append)

    class Ended(Exception):
        pass

    def end(*_):
        raise Ended

    data = Prepared(tmp_path, SPEC, "f00d", {})
    monkeypatch.setattr(command, "_prepare_data", lambda comparison, root: (comparison, data))
    monkeypatch.setattr(command, "write_sample", lambda *_: None)
    monkeypatch.setattr(command, "TRAINING_LIBRARIES", ())
    monkeypatch.setattr(command, "ForkServer", Runs)
    monkeypatch.setattr(command, "_make_table", end)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "5")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    with pytest.raises(Ended):
        command.compare_models(load_comparison(write(tmp_path), jobs=jobs), command.CompareArguments(out=str(tmp_path)))
    assert {TITLE: "mmoe, seed 1"} in given
    assert ("1 1 1" if jobs > 1 else "5 5 5") in given


def test_worker_has_the_variables_of_its_environment():
    _, lines = run_worker("tests.pipelines.commands.print_threads", [], "", lambda line: None, ONE_THREAD)
    assert lines == ["1 1 1\n"]


def test_malformed_record_is_reported_before_the_data_are_prepared(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_prepare_data", lambda *given: pytest.fail("prepared"))
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "trials.jsonl").write_text("x\n")
    arguments = command.CompareArguments(out=str(tmp_path / "out"), report=str(tmp_path / "report"))
    with pytest.raises(ConfigError, match=r"trials.jsonl:1: should be a JSON object"):
        command.compare_models(load_comparison(write(tmp_path)), arguments)
