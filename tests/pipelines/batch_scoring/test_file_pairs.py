import pytest

from pipelines.batch_scoring.file_pairs import FilePair, file_pairs, log_root
from tfmtl.config import ConfigError


@pytest.mark.parametrize(
    ("source", "reader", "name", "target"),
    [
        ("log/a.csv", "auto", None, "a.csv"),
        ("log/a.b.tsv.gz", "auto", None, "a.b.csv"),
        ("log/day=1/a.pq", "auto", None, "day=1/a.parquet"),
        ("log/a.tfrecord", "auto", None, "a.tfrecord.gz"),
        ("log/data_tfrecord-00000-of-00001.gz", "auto", None, "data_tfrecord-00000-of-00001.tfrecord.gz"),
        ("log/a.csv", "auto", "parquet", "a.parquet"),
        ("log/part-0", "parquet", None, "part-0.parquet"),
    ],
)
def test_a_target_has_the_path_of_its_source_and_the_end_of_its_format(source, reader, name, target):
    (pair,) = file_pairs([source], "out", "log", reader, name)
    stem = target.removesuffix(pair.kind)
    assert pair == FilePair(source, f"out/{target}", pair.kind, f"out/{stem}.rejects.jsonl")


def test_two_files_with_one_target_are_refused():
    with pytest.raises(ConfigError, match=r"log/a\.csv and log/a\.tsv should have different names"):
        file_pairs(["log/a.csv", "log/a.tsv"], "out", "log")


@pytest.mark.parametrize(
    ("data", "root"),
    [
        ("/log/a.csv", "/log"),
        ("/log/day=1/a.csv", "/log"),
        ("/log/day=1/*.csv", "/log"),
        ("/log/*/city=x/*.csv", "/log"),
        ("s3://bucket/log/day=*/a.csv", "s3://bucket/log"),
    ],
)
def test_names_of_folders_are_columns_whatever_files_there_are(data, root):
    assert log_root(data) == root


def test_the_root_of_a_folder_is_the_folder(tmp_path):
    (tmp_path / "log" / "day=1").mkdir(parents=True)
    assert log_root(f"{tmp_path}/log") == log_root(f"{tmp_path}/log/day=1") == f"{tmp_path}/log"
