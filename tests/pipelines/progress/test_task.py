"""States of tasks: written for someone who looks, seldom, and by each worker for its own part."""

import pickle

import pytest

from pipelines.progress.reading import ReadingProgress
from pipelines.progress.task import FOLDER, INTERVAL, TITLE, State, Task, read_states


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("pipelines.progress.task.time", found)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch, clock):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


def test_nothing_is_written_if_nobody_looks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FOLDER, raising=False)
    with Task("reading", "bytes", 10) as task:
        task.update(5)
        assert not task.is_due
    assert list(tmp_path.iterdir()) == []


def test_a_state_is_written_at_most_every_quarter_of_a_second(folder, clock):
    task = Task("training", "epochs", 3)
    task.update(0, part=32, note="step 1")
    clock.now += INTERVAL / 2
    task.update(1)
    assert read_states(folder) == [State("training", "", 0, 3, "epochs", 32, "step 1")]
    clock.now += INTERVAL
    task.update(2)
    assert [state.done for state in read_states(folder)] == [2]
    task.end()
    assert read_states(folder) == []


def test_copies_of_a_task_report_parts_of_one_amount(folder):
    reading = ReadingProgress(1000)
    copies = [pickle.loads(pickle.dumps(reading)) for _ in range(2)]
    copies[0]("a.csv", 100)
    copies[1]("b.csv", 250)
    assert read_states(folder) == [State("reading", "", 350, 1000, "bytes")]


def test_the_files_of_one_worker_are_added(folder, clock):
    reading = ReadingProgress(1000)
    for path, done in (("a.csv", 100), ("a.csv", 300), ("b.csv", 50)):
        clock.now += INTERVAL
        reading(path, done)
    assert [state.done for state in read_states(folder)] == [350]


def test_subprocesses_have_titles(folder, monkeypatch):
    monkeypatch.setenv(TITLE, "mmoe, seed 1")
    Task("training").update(1)
    monkeypatch.setenv(TITLE, "esmm, seed 1")
    Task("training").update(2)
    assert {state.title: state.done for state in read_states(folder)} == {"mmoe, seed 1": 1, "esmm, seed 1": 2}


def test_a_folder_that_is_gone_is_no_error(folder, monkeypatch):
    monkeypatch.setenv(FOLDER, str(folder / "missing"))
    task = Task("reading")
    task.update(1)
    task.end()


def test_a_file_that_is_damaged_is_left_out(folder):
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('{"other": 1}')
    assert read_states(folder) == []
