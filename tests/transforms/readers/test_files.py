"""Patterns find files at any depth, in order, and not what is no data; checksums tell files apart."""

import google_crc32c
import numpy as np
import pytest

from transforms.readers.files import find_files, sampled_checksum
from transforms.readers.registry import expand, reader_of

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


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("part-00000-c000.snappy.parquet", "parquet"),
        ("log.pq", "parquet"),
        ("log.tfrecord", "tfrecord"),
        ("log.tfrecords.gz", "tfrecord"),
        ("data_tfrecord-00000-of-00001.gz", "tfrecord"),
        ("tfrecord/log.csv.gz", "csv"),
        ("log.txt", "csv"),
        ("log", "csv"),
    ],
)
def test_auto_goes_by_the_name(name, reader):
    assert reader_of("auto", f"/logs/{name}") == reader
    assert reader_of("movielens", f"/logs/{name}") == "movielens"


def test_a_folder_has_the_files_of_the_reader(folder):
    (folder / "d.tfrecord.gz").touch()
    found = {reader: expand(reader, str(folder)) for reader in ("auto", "csv", "tfrecord")}
    names = {reader: [path.removeprefix(f"{folder}/") for path in paths] for reader, paths in found.items()}
    csv = ["a.csv", "b.csv.gz"]
    assert names == {"auto": [*csv, "d.tfrecord.gz"], "csv": csv, "tfrecord": ["d.tfrecord.gz"]}
    with pytest.raises(FileNotFoundError, match=r"a folder of files \(\*.parquet, \*.pq, \*.parq\) or a pattern"):
        expand("parquet", str(folder))


@pytest.mark.parametrize("size", [0, 39, 40])
def test_the_checksum_of_a_small_file_is_of_all_of_it(tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    (tmp_path / "file").write_bytes(data)
    assert sampled_checksum(str(tmp_path / "file"), 4, 10) == f"{google_crc32c.value(data):08x}"


def test_the_checksum_of_a_large_file_is_of_pieces_from_its_beginning_to_its_end(tmp_path):
    data = bytearray(np.random.default_rng(0).bytes(100))
    path = tmp_path / "file"
    path.write_bytes(data)
    before = sampled_checksum(str(path), 4, 10)
    assert before == f"{google_crc32c.value(bytes(data[:10] + data[30:40] + data[60:70] + data[90:])):08x}"
    for place, differs in ((0, True), (35, True), (99, True), (50, False)):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert (sampled_checksum(str(path), 4, 10) != before) == differs
