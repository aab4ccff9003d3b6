"""Finished runs: complete or absent, whatever happens to the process that writes them."""

import dataclasses
import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from pipelines.compare.jobs import Job
from pipelines.compare.runs.result import RESULT, Result, write_run
from pipelines.compare.runs.store import RunStore, lock_runs
from tests.pipelines.compare.cases import columns, job, noisy, result
from tfmtl.config import ConfigError
from tfmtl.health import Bound, Health

DATA = columns()


def keep(store, row, seed, **changes):
    scores = noisy(DATA, 2.0, seed)
    one = result(row, seed, scores, DATA, **changes)
    with store.writing(one.job) as folder:
        write_run(folder, one, scores)
    return one, scores


def test_reads_a_run_as_it_was_written(tmp_path):
    store = RunStore(tmp_path, "data", "c")
    one, scores = keep(store, "base", 1)
    assert RunStore(tmp_path, "data", "c").get(job("base", 1)) == one
    for name, values in store.scores(one.job).items():
        np.testing.assert_array_equal(values, scores[name])
    assert store.get(job("base", 2)) is None


def test_key_depends_on_everything_that_determines_the_scores():
    one = job("base", 1, width=8)
    assert one.key("data") == job("another row", 1, width=8).key("data")
    others = [
        job("base", 2, width=8).key("data"),
        job("base", 1, width=16).key("data"),
        one.key("other data"),
        Job("base", "ple", one.options, one.training, 1).key("data"),
        Job("base", one.model, one.options, {"max_epochs": 3}, 1).key("data"),
    ]
    assert len({one.key("data"), *others}) == 1 + len(others)
    assert Job.from_json(one.to_json()) == one


def test_uses_runs_of_other_code_only_if_any_code_is_accepted(tmp_path):
    one, _ = keep(RunStore(tmp_path, "data", "old"), "base", 1, code="old")
    assert RunStore(tmp_path, "data", "new").get(one.job) is None
    assert RunStore(tmp_path, "data").get(one.job) == one
    new, _ = keep(RunStore(tmp_path, "data", "new"), "base", 1, code="new")
    assert RunStore(tmp_path, "data").get(one.job) == new


def test_uses_its_own_runs_if_the_code_was_edited_meanwhile(tmp_path):
    """The subprocess of a run loads the edited code."""
    store = RunStore(tmp_path, "data", "old")
    one, _ = keep(store, "base", 1, code="edited")
    assert store.get(one.job) == one
    assert RunStore(tmp_path, "data", "old").get(one.job) is None


def test_reads_the_space_previous_of_kept_runs_as_conditional(tmp_path):
    """Earlier code wrote the former names into the job, from which it computed the key of the run."""
    former = Job("base", "mmoe", {"space": "previous", "max_importance": 9.0, "num_experts": 2}, {"max_epochs": 2}, 1)
    present = Job("base", "mmoe", {"space": "conditional", "max_weight": 9.0, "num_experts": 2}, {"max_epochs": 2}, 1)
    entire = Job("base", "mmoe", {"space": "entire", "max_weight": 9.0, "num_experts": 2}, {"max_epochs": 2}, 1)
    one, scores = keep(RunStore(tmp_path, "data", "c"), "base", 1, job=former)
    keep(RunStore(tmp_path, "other data", "c"), "base", 1, job=Job(**{**vars(former), "seed": 2}))
    written = (tmp_path / former.key("data") / RESULT).read_text()
    assert json.loads(written)["job"]["options"]["space"] == "previous"
    assert Result.from_json(written).job == present

    store = RunStore(tmp_path, "data", "c")
    assert store.get(present) == Result(**{**vars(one), "job": present})
    assert set(store.scores(present)) == set(scores)
    assert store.get(entire) is None
    assert store.get(Job(**{**vars(present), "seed": 2})) is None, "a run on other data"

    new = Result(**{**vars(one), "job": present, "rows": 7})
    with store.writing(present) as folder:
        write_run(folder, new, scores)
    assert RunStore(tmp_path, "data", "c").get(present) == new, "a run with the present names comes first"


def test_reads_the_health_of_a_run_and_runs_that_were_kept_without_it(tmp_path):
    store = RunStore(tmp_path, "data", "c")
    health = (
        Health("gate", "gate of click", "relative_entropy", 0.998, Bound(high=0.99)),
        Health("selector", "selector, layer 1", "saturation", 0.25),
    )
    one, _ = keep(store, "base", 1, health=health)
    kept = store.get(one.job)
    assert kept == one
    assert [mechanism.alive for mechanism in kept.health] == [False, True]
    path = tmp_path / one.job.key("data") / RESULT
    plain = json.loads(path.read_text())
    assert plain["health"][0]["sentence"].startswith("The gate of click is uniform")
    del plain["health"]
    path.write_text(json.dumps(plain))
    assert store.get(one.job) == dataclasses.replace(one, health=())


def test_error_leaves_no_files(tmp_path):
    store = RunStore(tmp_path, "data", "c")

    def fail():
        with store.writing(job("base", 1)) as folder:
            (folder / "result.json").write_text("{")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        fail()
    assert store.get(job("base", 1)) is None
    assert list(tmp_path.iterdir()) == []


def write_slowly(root, ready):
    store = RunStore(root, "data", "c")
    with lock_runs(root):
        keep(store, "base", 1)
        with store.writing(job("base", 2)) as folder:
            (folder / "scores.npz").write_bytes(b"half")
            ready.set()
            time.sleep(60)


def test_kill_loses_only_the_unfinished_run(tmp_path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=write_slowly, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    store = RunStore(tmp_path, "data", "c")
    assert isinstance(store.get(job("base", 1)), Result)
    assert store.get(job("base", 2)) is None
    assert any(path.name.startswith(".unfinished") for path in tmp_path.iterdir())
    with lock_runs(tmp_path):
        assert not any(path.name.startswith(".unfinished") for path in tmp_path.iterdir())
        keep(store, "base", 2)
    assert store.get(job("base", 2)) is not None


def test_two_comparisons_cannot_use_a_folder_at_the_same_time(tmp_path):
    root = tmp_path / "runs"
    message = "should be used by one comparison at a time"
    with lock_runs(root), pytest.raises(ConfigError, match=message), lock_runs(root):
        pass
    with lock_runs(root):
        pass
