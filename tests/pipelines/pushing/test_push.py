"""Pushes: complete or absent, also after a kill; versions that never collide; destinations on other file systems."""

import json
import os
import pathlib
import signal
import time

import pytest

from pipelines.pushing import push as push_module
from pipelines.pushing.destination import fingerprint, is_complete, newest_version, next_version, versions
from pipelines.pushing.push import push
from pipelines.pushing.rollback import roll_back
from pipelines.pushing.rolled_back import read_rolled_back, rollback_of
from serving.export import DESCRIPTION_FILE
from serving.manifest import MANIFEST, write_manifest
from serving.versions.folders import version_folders
from tests.s3_server import BUCKET
from tfmtl.config import ConfigError
from transforms.storage import files
from transforms.storage.atomic import UNFINISHED


def write_model(folder, name="a"):
    """Writes the files of an export."""
    files = {
        "saved_model.pb": "graph",
        "variables/variables.index": name * 9,
        "assets/tokens": "x\ny\n",
        DESCRIPTION_FILE: json.dumps({"fingerprint": name}),
    }
    for file, text in files.items():
        path = pathlib.Path(folder, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_manifest(str(folder))
    return str(folder)


def contents(folder):
    """Returns the files of a folder on any file system."""
    return {name: files.read_text(f"{folder}/{name}") for name in files.files_below(folder)}


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


@pytest.fixture(params=["local", "minio"])
def base(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "serving")
    request.getfixturevalue("s3")
    return f"{request.param}://{BUCKET}/{tmp_path.name}/serving"


def test_a_push_copies_all_files_and_the_newest_version_is_the_last(model, base):
    numbers = [push(model, base) for _ in range(3)]
    assert list(versions(base)) == numbers
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2], "all within one second"
    assert abs(numbers[0] - time.time()) < 60
    assert newest_version(base) == f"{base}/{numbers[-1]}"
    for folder in versions(base).values():
        assert contents(folder) == contents(model)
        assert fingerprint(folder) == "a"
        assert is_complete(folder)


@pytest.mark.parametrize("damage", ["assets/tokens", "variables/variables.index", "saved_model.pb"])
def test_a_version_that_lacks_a_file_is_incomplete(model, base, damage):
    push(model, base)
    folder = newest_version(base)
    files.remove(f"{folder}/{damage}")
    assert not is_complete(folder)


def test_a_changed_file_is_not_pushed(model, base):
    pathlib.Path(model, "assets/tokens").write_text("x\n")
    with pytest.raises(ConfigError, match="should have the files of its manifest"):
        push(model, base)


def test_versions_are_above_all_earlier_ones(tmp_path):
    assert abs(next_version(str(tmp_path / "missing")) - time.time()) < 60
    (tmp_path / "99999999999").mkdir()
    (tmp_path / f"{UNFINISHED}-999999999999").mkdir()
    assert next_version(str(tmp_path)) == 100000000000
    assert next_version(str(tmp_path), used=200000000000) == 200000000001


def killed_push(model, base, number):
    """Pushes in a process that is killed after it has copied some files; returns the signal that ended it."""
    process = os.fork()
    if not process:
        copied = []

        def copy_or_die(source, target):
            if len(copied) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            copied.append(target)
            files.copy_file(source, target)

        push_module.copy_file = copy_or_die
        try:
            push(model, base)
        finally:
            os._exit(1)
    return os.WTERMSIG(os.waitpid(process, 0)[1])


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_killed_push_leaves_no_version_and_is_removed_by_the_next(model, tmp_path, number):
    base = tmp_path / "serving"
    assert killed_push(model, str(base), number) == signal.SIGKILL
    assert [path.name.startswith(UNFINISHED) for path in base.iterdir()] == [True]
    assert version_folders(base) == {}
    assert versions(str(base)) == {}
    version = push(model, str(base))
    assert [path.name for path in base.iterdir()] == [str(version)]


@pytest.mark.parametrize("copied", [["assets/tokens"], ["assets/tokens", "saved_model.pb"]])
def test_leftovers_on_an_object_store_are_removed_by_the_next_push(model, tmp_path, s3, copied):
    """A version whose marker remains is removed if it is incomplete; else only the marker is."""
    base = f"s3://{BUCKET}/{tmp_path.name}/serving"
    complete = push(model, base)
    for version in (complete, 7):
        files.write_text(f"{base}/{UNFINISHED}-{version}", "")
    for name in copied:
        files.copy_file(f"{model}/{name}", f"{base}/7/{name}")
    assert not is_complete(f"{base}/7")
    version = push(model, base)
    assert list(versions(base)) == [complete, version]
    assert is_complete(f"{base}/{complete}")
    assert not [name for name in files.list_folder(base) if name.startswith(UNFINISHED)]


def test_on_an_object_store_the_graph_is_written_after_all_else_and_the_manifest_last(model, tmp_path, s3, monkeypatch):
    written = []

    def copy(source, target):
        written.append(source.removeprefix(f"{model}/"))
        files.copy_file(source, target)

    monkeypatch.setattr(push_module, "copy_file", copy)
    push(model, f"s3://{BUCKET}/{tmp_path.name}/serving")
    assert written[-2:] == ["saved_model.pb", MANIFEST]
    assert len(written) == len(set(written)) == len(contents(model))


def pushed(tmp_path, base, names):
    return [push(write_model(tmp_path / f"model_{name}", name), base) for name in names]


def test_rollback_serves_the_version_before_and_refuses_the_newest(tmp_path, base):
    first, second, third = pushed(tmp_path, base, "abc")
    done = roll_back(base)
    assert (done.bad, done.good, done.refused, done.restored) == (third, second, ("c",), "b")
    assert done.version > third
    assert fingerprint(newest_version(base)) == "b"
    assert list(versions(base)) == [first, second, third, done.version]
    assert [(one.fingerprint, one.version) for one in read_rolled_back(base)] == [("c", third)]
    again = roll_back(base)
    assert (again.good, again.refused) == (first, ("b", "c"))
    assert fingerprint(newest_version(base)) == "a"
    with pytest.raises(ConfigError, match="should have an earlier version of another model, not rolled back"):
        roll_back(base)
    assert rollback_of(base, "b").version == done.version
    assert rollback_of(base, "a") is None
    assert rollback_of(base, None) is None


def test_rollback_to_a_version_takes_it_from_the_record(tmp_path, base):
    first, second, third = pushed(tmp_path, base, "abc")
    assert roll_back(base, first).refused == ("b", "c")
    forward = roll_back(base, third)
    assert fingerprint(newest_version(base)) == "c"
    assert forward.refused == ("a",)
    assert {one.fingerprint for one in read_rolled_back(base)} == {"a", "b"}
    newest = max(versions(base))
    for wrong in (newest, 12):
        with pytest.raises(ConfigError, match=f"--to should be a complete version .*{second}.* Received: {wrong}$"):
            roll_back(base, wrong)


def test_rollback_skips_incomplete_versions(tmp_path, base):
    first, second, _ = pushed(tmp_path, base, "abc")
    files.remove(f"{base}/{second}/assets/tokens")
    assert roll_back(base).good == first
