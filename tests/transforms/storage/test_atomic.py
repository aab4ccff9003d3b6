"""Atomic writes: a file or folder has its final name only when it is complete."""

import doctest
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from transforms.storage import atomic
from transforms.storage.atomic import UNFINISHED, PendingFile, atomic_dir, atomic_file, remove_unfinished
from transforms.storage.files import list_folder, open_file, open_output

REPOSITORY = pathlib.Path(__file__).parents[3]


class Interrupted(BaseException):
    """Raised in the middle of a write; not an `Exception`, as `KeyboardInterrupt` is not one."""


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def run_and_kill(program, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL


def test_atomic_file_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "new" / "log.csv"
    with atomic_file(path) as temporary:
        pathlib.Path(temporary).write_text("rows")
        assert not path.exists()
    assert content(tmp_path) == {"new/log.csv": "rows"}


def test_atomic_file_replaces_an_existing_file(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    with atomic_file(str(path)) as temporary:
        pathlib.Path(temporary).write_text("new")
        assert path.read_text() == "old"
    assert content(tmp_path) == {"log.csv": "new"}


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, Interrupted])
def test_atomic_file_keeps_the_existing_file_after_an_error(tmp_path, error, written):
    path = tmp_path / "log.csv"
    path.write_text("old")

    def write():
        with atomic_file(path) as temporary:
            if written:
                pathlib.Path(temporary).write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert content(tmp_path) == {"log.csv": "old"}


def test_atomic_file_keeps_the_existing_file_if_none_is_written(tmp_path):
    (tmp_path / "log.csv").write_text("old")
    for name in ("log.csv", "other.csv"):
        with atomic_file(tmp_path / name):
            pass
    assert content(tmp_path) == {"log.csv": "old"}


def test_atomic_file_uses_the_staging_folder(tmp_path):
    staging = tmp_path / UNFINISHED
    with atomic_file(tmp_path / "a" / "b", str(staging)) as temporary:
        pathlib.Path(temporary).write_text("rows")
        assert pathlib.Path(temporary).parent == staging
    assert content(tmp_path) == {"a/b": "rows"}


def test_concurrent_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    first, second = (PendingFile(tmp_path / "log.csv") for _ in range(2))
    for pending, text in ((first, "first"), (second, "second")):
        pathlib.Path(pending.path).write_text(text)
    second.commit()
    assert (tmp_path / "log.csv").read_text() == "second"
    first.commit()
    assert content(tmp_path) == {"log.csv": "first"}


def test_a_discarded_file_is_removed(tmp_path):
    pending = PendingFile(tmp_path / "log.csv")
    pending.discard()
    pathlib.Path(pending.path).write_text("rows")
    pending.discard()
    assert content(tmp_path) == {}


def test_atomic_file_on_a_remote_file_system():
    with atomic_file("mock://atomic/logs/log.csv") as temporary:
        with open_output(temporary) as file:
            file.write(b"rows")
        assert list_folder("mock://atomic/logs") == [temporary.rpartition("/")[2]]
    assert list_folder("mock://atomic/logs") == ["log.csv"]
    with open_file("mock://atomic/logs/log.csv") as file:
        assert file.read() == b"rows"
    pending = PendingFile("mock://atomic/logs/log.csv")
    open_output(pending.path).close()
    pending.discard()
    assert list_folder("mock://atomic/logs") == ["log.csv"]


def test_atomic_dir_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "runs" / "a"
    with atomic_dir(path) as folder:
        assert folder.parent == path.parent
        assert list(folder.iterdir()) == []
        (folder / "score.txt").write_text("0.7")
        assert not path.exists()
    assert content(tmp_path) == {"runs/a/score.txt": "0.7"}


@pytest.mark.parametrize("is_folder", [True, False])
def test_atomic_dir_replaces_an_existing_folder_as_a_whole(tmp_path, is_folder):
    path = tmp_path / "a"
    if is_folder:
        path.mkdir()
        (path / "old.txt").write_text("old")
    else:
        path.write_text("old")
    before = content(tmp_path)
    with atomic_dir(str(path)) as folder:
        assert content(tmp_path) == before
        (folder / "new.txt").write_text("new")
    assert content(tmp_path) == {"a/new.txt": "new"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [RuntimeError, Interrupted])
def test_atomic_dir_keeps_the_existing_folder_after_an_error(tmp_path, error):
    path = tmp_path / "a"
    path.mkdir()
    (path / "old.txt").write_text("old")

    def write():
        with atomic_dir(path) as folder:
            (folder / "half.txt").write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert content(tmp_path) == {"a/old.txt": "old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_atomic_dir_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_dir("a") as folder:
        (folder / "score.txt").write_text("0.7")
        monkeypatch.chdir(folder)
    assert content(tmp_path) == {"a/score.txt": "0.7"}


def test_atomic_dir_rejects_an_object_store():
    with pytest.raises(ValueError, match=r"`path` should be a local folder. Received: 's3://bucket/a'"):
        atomic_dir("s3://bucket/a").__enter__()


KILLED_IN_BLOCK = """
import os, signal, sys
from transforms.storage.atomic import atomic_dir

with atomic_dir(sys.argv[1]) as folder:
    (folder / "half.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_BETWEEN_RENAMES = """
import os, pathlib, signal, sys
from transforms.storage.atomic import atomic_dir

rename = pathlib.Path.rename

def rename_and_kill(path, target):
    rename(path, target)
    os.kill(os.getpid(), signal.SIGKILL)

pathlib.Path.rename = rename_and_kill
with atomic_dir(sys.argv[1]) as folder:
    (folder / "new.txt").write_text("new")
"""


@pytest.mark.parametrize(("program", "left"), [(KILLED_IN_BLOCK, True), (KILLED_BETWEEN_RENAMES, False)])
def test_a_killed_writer_leaves_the_old_folder_or_none(tmp_path, program, left):
    path = tmp_path / "a"
    path.mkdir()
    (path / "old.txt").write_text("old")
    run_and_kill(program, path)
    assert path.exists() == left
    if left:
        assert content(path) == {"old.txt": "old"}
    names = {entry.name for entry in tmp_path.iterdir()}
    assert all(name.startswith(UNFINISHED) for name in names - {"a"})
    with atomic_dir(path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "new.txt").write_text("new")
    assert content(tmp_path) == {"a/new.txt": "new"}


def test_remove_unfinished_removes_what_interrupted_writers_left(tmp_path):
    pathlib.Path(PendingFile(tmp_path / "log.csv").path).write_text("half")
    (tmp_path / UNFINISHED / "shards").mkdir(parents=True)
    (tmp_path / f"{UNFINISHED}-run").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "log.csv").write_text("rows")
    remove_unfinished(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.csv", "run"]
    remove_unfinished(tmp_path / "missing")


def test_examples_of_docstrings():
    assert doctest.testmod(atomic).failed == 0
