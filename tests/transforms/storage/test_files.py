"""File access: patterns find files at any depth, checksums distinguish files, and writes replace files."""

import os
import pathlib

import google_crc32c
import numpy as np
import pytest
from pyarrow import fs

from transforms.storage import files
from transforms.storage.files import find_files, sampled_checksum

FILES = (
    "a.csv",
    "b.csv.gz",
    "notes.txt",
    "_SUCCESS",
    ".hidden.csv",
    "day=1/part-0.parquet",
    "day=1/part-1.parquet",
    "day=1/_metadata",
    "day=2/part-0.parquet",
    "day=2/hour=3/part-0.parquet",
    "_temporary/part-9.parquet",
    "x[1]/c.csv",
)


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture(params=["local", "mock"])
def root(request, tmp_path):
    """A folder on a local disk, and one on a file system of pyarrow's."""
    return str(tmp_path) if request.param == "local" else f"mock://bucket{tmp_path}"


def write(path, data=b"rows"):
    with files.open_output(path) as file:
        file.write(data)


def read(path):
    with files.open_stored(path) as file:
        return file.read()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", ["a.csv", "b.csv.gz", "notes.txt"]),
        ("*.csv", ["a.csv"]),
        ("?.csv*", ["a.csv", "b.csv.gz"]),
        ("[bc].*", ["b.csv.gz"]),
        ("_*", ["_SUCCESS"]),
        ("day=*/part-*.parquet", ["day=1/part-0.parquet", "day=1/part-1.parquet", "day=2/part-0.parquet"]),
        ("day=2/*", ["day=2/part-0.parquet"]),
        ("**/part-0.parquet", ["day=1/part-0.parquet", "day=2/hour=3/part-0.parquet", "day=2/part-0.parquet"]),
        ("**/hour=*/*", ["day=2/hour=3/part-0.parquet"]),
        ("day=2/**", ["day=2/hour=3/part-0.parquet", "day=2/part-0.parquet"]),
        ("**/*.csv", ["a.csv", "x[1]/c.csv"]),
        ("x[1]/*.csv", ["x[1]/c.csv"]),
        ("*/nothing", []),
        ("nothing/*", []),
        ("a.csv", ["a.csv"]),
    ],
)
def test_patterns(folder, pattern, found, monkeypatch):
    assert [path.removeprefix(f"{folder}/") for path in find_files(f"{folder}/{pattern}")] == found
    monkeypatch.chdir(folder)
    assert find_files(pattern) == found
    assert [path.removeprefix(f"file://{folder}/") for path in find_files(f"file://{folder}/{pattern}")] == found


@pytest.mark.parametrize("size", [0, 39, 40])
def test_checksum_of_a_small_file_covers_all_bytes(tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    (tmp_path / "file").write_bytes(data)
    assert sampled_checksum(str(tmp_path / "file"), 4, 10) == f"{google_crc32c.value(data):08x}"


def test_checksum_of_a_large_file_covers_evenly_spaced_pieces(tmp_path):
    data = bytearray(np.random.default_rng(0).bytes(100))
    path = tmp_path / "file"
    path.write_bytes(data)
    before = sampled_checksum(str(path), 4, 10)
    assert before == f"{google_crc32c.value(bytes(data[:10] + data[30:40] + data[60:70] + data[90:])):08x}"
    for position, differs in ((0, True), (35, True), (99, True), (50, False)):
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert (sampled_checksum(str(path), 4, 10) != before) == differs


def test_written_files_are_listed_moved_and_removed(root):
    write(f"{root}/a/log.csv.gz", b"not compressed")
    assert read(f"{root}/a/log.csv.gz") == b"not compressed"
    assert files.size(f"{root}/a/log.csv.gz") == files.size(f"{root}/a") == 14
    write(f"{root}/b/c/x", b"old")
    files.move(f"{root}/a/log.csv.gz", f"{root}/b/c/x")
    assert read(f"{root}/b/c/x") == b"not compressed"
    files.move(f"{root}/b/c/x", f"{root}/d/y")
    assert files.list_folder(root) == ["a", "b", "d"]
    assert not files.exists(f"{root}/b/c/x")
    assert files.is_folder(f"{root}/d")
    for path in (f"{root}/d", f"{root}/b", f"{root}/nothing"):
        files.remove(path)
    write(f"{root}/z")
    files.remove(f"{root}/z")
    assert files.list_folder(root) == ["a"]
    assert files.list_folder(f"{root}/nothing") == []


def test_a_link_is_made_again_and_leaves_the_source_whole(tmp_path):
    (tmp_path / "x").write_text("rows")
    for _ in range(2):
        files.link_or_copy(str(tmp_path / "x"), str(tmp_path / "b" / "x"))
    assert (tmp_path / "b" / "x").read_text() == (tmp_path / "x").read_text() == "rows"
    assert os.path.samefile(tmp_path / "x", tmp_path / "b" / "x")


def test_a_file_is_copied_between_file_systems(tmp_path):
    (tmp_path / "x").write_text("rows")
    remote = f"mock://bucket{tmp_path}/copies/x"
    for _ in range(2):
        files.link_or_copy(str(tmp_path / "x"), remote)
        files.link_or_copy(remote, str(tmp_path / "b" / "x"))
    assert read(remote) == (tmp_path / "b" / "x").read_bytes() == b"rows"


def test_no_folder_is_made_on_an_object_store(monkeypatch):
    """A marker object of a folder takes rights on the bucket that the writer of an object need not have."""

    class ObjectStore:
        type_name = "gcs"

    monkeypatch.setattr(files, "resolve", lambda path: (ObjectStore(), "bucket"))
    files.make_folder("gs://bucket/logs")


def test_names_with_special_characters_of_a_uri(tmp_path):
    path = pathlib.Path(tmp_path, "a%20?b=1")
    path.write_text("rows")
    assert read(f"file://{path}") == b"rows"
    assert isinstance(files.resolve(f"file://{path}")[0], fs.LocalFileSystem)
