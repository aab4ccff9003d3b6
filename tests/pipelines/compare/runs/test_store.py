"""Finished runs: whole or not there, whatever happens to the process that writes them."""

import importlib.metadata
import multiprocessing
import os
import pathlib
import signal
import time

import numpy as np
import pytest

from pipelines.compare.jobs import Job, code
from pipelines.compare.runs.store import Result, RunStore, exclusive_lock, write_run
from tests.pipelines.compare.cases import columns, job, noisy, result
from tfmtl.config import ConfigError

DATA = columns()
REPOSITORY = pathlib.Path(__file__).parents[4]


def keep(store, row, seed, **changes):
    scores = noisy(DATA, 2.0, seed)
    one = result(row, seed, scores, DATA, **changes)
    with store.writing(one.job) as folder:
        write_run(folder, one, scores)
    return one, scores


def test_a_run_is_read_as_it_was_written(tmp_path):
    store = RunStore(tmp_path, "data", "c")
    one, scores = keep(store, "base", 1)
    assert RunStore(tmp_path, "data", "c").get(job("base", 1)) == one
    for name, values in store.scores(one.job).items():
        np.testing.assert_array_equal(values, scores[name])
    assert store.get(job("base", 2)) is None


def test_the_key_is_of_all_that_decides_the_scores():
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


def test_a_run_of_other_code_counts_only_where_any_does(tmp_path):
    one, _ = keep(RunStore(tmp_path, "data", "old"), "base", 1, code="old")
    assert RunStore(tmp_path, "data", "new").get(one.job) is None
    assert RunStore(tmp_path, "data").get(one.job) == one
    new, _ = keep(RunStore(tmp_path, "data", "new"), "base", 1, code="new")
    assert RunStore(tmp_path, "data").get(one.job) == new


def test_code_that_was_edited_meanwhile_loses_no_run(tmp_path):
    """A run's process reads the code anew."""
    store = RunStore(tmp_path, "data", "old")
    one, _ = keep(store, "base", 1, code="edited")
    assert store.get(one.job) == one
    assert RunStore(tmp_path, "data", "old").get(one.job) is None


def test_the_hash_of_the_code_is_stable():
    assert code() == code()
    assert len(code()) == 16


def test_the_hash_is_of_all_that_reads_trains_and_measures(monkeypatch):
    read, of_file = [], pathlib.Path.read_bytes
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda path: read.append(path) or of_file(path))
    code()
    files = {str(path.relative_to(REPOSITORY)) for path in read}
    assert files >= {
        "serving/raw_features.py",
        "pipelines/settings.py",
        "pipelines/training/input_pipeline.py",
        "pipelines/training/trainer.py",
        "pipelines/compare/runs/worker.py",
        "pipelines/compare/metrics/evaluate.py",
        "pipelines/compare/fitters/network.py",
        "pipelines/compare/data/row_order.py",
        "pipelines/compare/data/prepared.py",
        "pipelines/compare/metrics/scenarios.py",
        "tfmtl/models/mmoe.py",
        "transforms/validation/validate.py",
    }


@pytest.mark.parametrize("library", ["keras", "tensorflow", "lightgbm"])
def test_another_version_of_a_library_is_other_code(monkeypatch, library):
    before, version = code(), importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1" if name == library else version(name))
    assert code() != before


def test_an_error_leaves_nothing(tmp_path):
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
    with exclusive_lock(root):
        keep(store, "base", 1)
        with store.writing(job("base", 2)) as folder:
            (folder / "scores.npz").write_bytes(b"half")
            ready.set()
            time.sleep(60)


def test_killing_loses_the_run_in_flight_alone(tmp_path):
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
    with exclusive_lock(tmp_path):
        assert not any(path.name.startswith(".unfinished") for path in tmp_path.iterdir())
        keep(store, "base", 2)
    assert store.get(job("base", 2)) is not None


def test_two_comparisons_do_not_share_a_folder_at_a_time(tmp_path):
    root = tmp_path / "runs"
    with exclusive_lock(root), pytest.raises(ConfigError, match="should be of one comparison at a time"), exclusive_lock(root):
        pass
    with exclusive_lock(root):
        pass
