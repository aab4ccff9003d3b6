"""Selection of readers by file name, columns of folders, names of columns, and missing values."""

import pytest

from tests.transforms.readers.raw_files import write_csv, write_parquet, write_tfrecord
from transforms.batches.errors import LogError, MissingColumnError
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import column_names, read, resolve_reader


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
def test_auto_selects_the_reader_by_file_name(name, reader):
    assert resolve_reader("auto", f"/logs/{name}") == reader
    assert resolve_reader("movielens", f"/logs/{name}") == "movielens"


ANY = LogFormat()


def rows_of(path, columns, log_format=ANY, root=None):
    return [row for batch in read(str(path), columns, log_format, root) for row in batch.columns.to_pylist()]


def test_only_folders_below_the_root_are_columns(tmp_path):
    path = tmp_path / "clicked=1" / "logs" / "day=2026-11-18" / "log.csv"
    path.parent.mkdir(parents=True)
    path.write_text("user,clicked\na,0\n")
    rows = rows_of(path, ["user", "clicked", "day"], root=str(tmp_path / "clicked=1" / "logs"))
    assert rows == [{"user": "a", "clicked": "0", "day": "2026-11-18"}]
    assert rows_of(path, ["user", "clicked"]) == [{"user": "a", "clicked": "0"}]
    with pytest.raises(MissingColumnError, match="should have the column day"):
        rows_of(path, ["day"], root=str(path.parent))


@pytest.mark.parametrize("extension", ["csv", "parquet", "tfrecord"])
def test_a_column_of_the_file_and_of_a_folder_raises(extension, tmp_path):
    path = tmp_path / "city=Bonn" / f"log.{extension}"
    path.parent.mkdir()
    rows = [{"user": "a", "city": "Bonn"}]
    {"csv": write_csv, "parquet": write_parquet, "tfrecord": write_tfrecord}[extension](rows, path)
    with pytest.raises(
        LogError, match=r"city either in the file or in the name of a folder \(city=Bonn\). Received: both"
    ):
        rows_of(path, ["user", "city"], root=str(tmp_path))
    assert rows_of(path, ["user"], root=str(tmp_path))


def test_names_of_columns_are_mapped(tmp_path):
    path = tmp_path / "day=3" / "log.csv"
    path.parent.mkdir()
    path.write_text("item-id,rating\ni1,5\n")
    log_format = LogFormat(columns={"item": "item-id", "liked": "rating", "loved": "rating", "date": "day"})
    rows = rows_of(path, ["item", "liked", "loved", "date"], log_format, str(tmp_path))
    assert rows == [{"item": "i1", "liked": "5", "loved": "5", "date": "3"}]


def test_mapping_keeps_types_that_differ_within_the_file(tmp_path):
    path = tmp_path / "day=3" / "log.tfrecord"
    path.parent.mkdir()
    write_tfrecord([{"x": "a"}, {"x": "b"}, {"x": 1.5}], path)
    batches = list(read(str(path), ["y", "day"], LogFormat(columns={"y": "x"}), str(tmp_path)))
    assert [batch.mismatched_columns for batch in batches] == [frozenset(), frozenset({"y"})]


def test_null_values_are_missing_in_every_format(tmp_path):
    rows = [{"a": "NULL", "b": "x"}, {"a": "?", "b": "NULL|x"}, {"a": "null", "b": ""}]
    write_csv(rows, tmp_path / "log.csv")
    write_parquet(rows, tmp_path / "log.parquet")
    lists = [{name: value.split("|") for name, value in row.items() if value} for row in rows]
    write_tfrecord(lists, tmp_path / "log.tfrecord")
    found = [
        rows_of(tmp_path / f"log.{name}", ["a", "b"], LogFormat(null=("NULL", "?"))) for name in ("csv", "parquet")
    ]
    assert found[0] == found[1] == [{"a": None, "b": "x"}, {"a": None, "b": "NULL|x"}, {"a": "null", "b": None}]
    assert rows_of(tmp_path / "log.tfrecord", ["a", "b"], LogFormat(null=("NULL", "?"))) == [
        {"a": None, "b": ["x"]},
        {"a": None, "b": ["NULL", "x"]},
        {"a": ["null"], "b": None},
    ]


@pytest.mark.parametrize("name", ["log.csv", "log.parquet", "log.tfrecord"])
def test_column_names(name, tmp_path):
    rows = [{"b": "1", "a": "x"}]
    {"csv": write_csv, "parquet": write_parquet, "tfrecord": write_tfrecord}[name[4:]](rows, tmp_path / name)
    assert sorted(column_names(str(tmp_path / name), LogFormat())) == ["a", "b"]
