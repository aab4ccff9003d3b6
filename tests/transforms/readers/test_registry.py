"""Selection of readers by file name, and expansion of folders."""

import pytest

from transforms.readers.registry import expand, resolve_reader


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


def test_a_folder_expands_to_the_files_of_the_reader(tmp_path):
    for name in ("a.csv", "b.csv.gz", "notes.txt", "_SUCCESS", "d.tfrecord.gz"):
        (tmp_path / name).touch()
    paths_by_reader = {reader: expand(reader, str(tmp_path)) for reader in ("auto", "csv", "tfrecord")}
    names = {reader: [path.removeprefix(f"{tmp_path}/") for path in paths] for reader, paths in paths_by_reader.items()}
    csv = ["a.csv", "b.csv.gz"]
    assert names == {"auto": [*csv, "d.tfrecord.gz"], "csv": csv, "tfrecord": ["d.tfrecord.gz"]}
    with pytest.raises(FileNotFoundError, match=r"a folder of files \(\*.parquet, \*.pq, \*.parq\) or a pattern"):
        expand("parquet", str(tmp_path))


def test_expand_rejects_an_unknown_reader():
    with pytest.raises(ValueError, match=r"reader should be one of auto, csv, .* Received: 'json'"):
        expand("json", "logs")
