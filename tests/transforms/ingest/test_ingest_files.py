"""Ingestion of files: the tf.Examples hold the values of the rows, and every row is counted once."""

import gzip
import itertools
import json
import pathlib
import pickle

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.testing.util import assert_that, equal_to

from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task, TimeSplit
from transforms.batches.errors import MissingColumnError
from transforms.batches.raw_batch import SPLITS, Reject
from transforms.batches.report import IngestReport
from transforms.examples.shards import ShardWriter
from transforms.ingest import beam_ingest
from transforms.ingest.beam_ingest import COUNTS, REPORT, SAMPLE, IngestPaths
from transforms.ingest.beam_vocabularies import WriteVocabularies
from transforms.ingest.ingest_files import ingest, ingest_range
from transforms.readers.file_selection import expand
from transforms.readers.log_format import LogFormat

SPEC = DatasetSpec(
    name="log",
    features=(
        CategoricalFeature("city", required=True),
        NumericalFeature("price"),
        MultiValuedFeature("tags", weights="tag_weights"),
    ),
    tasks=(Task("click", "click"), Task("buy", "buy", follows="click")),
    group_key="user",
    split=TimeSplit("day", eval_from=8, test_from=9),
)
LOG = b"""day,user,city,price,tags,tag_weights,click,buy
1,u1,Rome,1.5,a|b,0.5|2,1,1
2,u2,Oslo,,,,0,0
9,u1,Rome,2
8,u1,Rome,2,c,1,0,0
9,,Bonn,-3,c,1,1,0
1,u1,\xff,2,c,1,0,0
2,u1,Rome,2,c,1,,0
3,u1,Rome,2,c,1,2,0
4,u1,Rome,2,c,1,0,1
5,u1,,2,c,1,0,0
6,u1,Rome,much,c,1,0,0
7,u1,Rome,2,c,1|2,0,0
soon,u1,Rome,2,c,1,0,0
"""
REASONS = (
    "invalid_encoding",
    "invalid_time",
    "invalid_weights",
    "broken_chain",
    "wrong_column_count",
    "invalid_label",
    "missing_label",
    "missing_required",
    "not_a_number",
)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(LOG)
    return str(path)


def plain(example):
    """The features of a serialized tf.Example that have values."""
    features = tf.train.Example.FromString(example).features.feature
    kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
    values = {name: list(getattr(features[name], kind).value) for name, kind in kinds.items() if kind}
    return {name: value for name, value in sorted(values.items()) if value}


def test_examples_hold_the_values_of_the_rows(log):
    (batch,) = ingest([log], SPEC)
    first = {"city": [b"Rome"], "price": [1.5], "tags": [b"a", b"b"], "tag_weights": [0.5, 2.0], "click": [1]}
    assert {
        name: [plain(example) for example in examples.to_pylist()] for name, examples in batch.examples.items()
    } == {
        "train": [
            {**first, "buy": [1], "user": [b"u1"]},
            {"city": [b"Oslo"], "click": [0], "buy": [0], "user": [b"u2"]},
        ],
        "eval": [
            {
                "city": [b"Rome"],
                "price": [2],
                "tags": [b"c"],
                "tag_weights": [1],
                "click": [0],
                "buy": [0],
                "user": [b"u1"],
            }
        ],
        "test": [{"city": [b"Bonn"], "price": [-3], "tags": [b"c"], "tag_weights": [1], "click": [1], "buy": [0]}],
    }


def test_each_invalid_row_is_rejected_with_its_reason(log):
    (batch,) = ingest([log], SPEC)
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [
        (4, "wrong_column_count"),
        (7, "invalid_encoding"),
        (8, "missing_label"),
        (9, "invalid_label"),
        (10, "broken_chain"),
        (11, "missing_required"),
        (12, "not_a_number"),
        (13, "invalid_weights"),
        (14, "invalid_time"),
    ]


def test_report_counts_every_row(log):
    (batch,) = ingest([log], SPEC)
    counts = {
        "read": 13,
        "accepted": {"train": 2, "eval": 1, "test": 1},
        "rejected": dict.fromkeys(REASONS, 1),
    }
    assert batch.report.to_dict() == {**counts, "sources": {log: counts}}


def test_ingests_movielens(tmp_path):
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n")
    (tmp_path / "movies.dat").write_text("7::Sabrina (1995)::Comedy|Romance\n")
    (tmp_path / "ratings.dat").write_text("1::7::4::100\n1::7::5::200\n1::8::5::200\n")
    features = (CategoricalFeature("gender"), MultiValuedFeature("genres"))
    tasks = (Task("liked", "liked"), Task("loved", "loved", follows="liked"))
    spec = DatasetSpec("ratings", features, tasks, split=TimeSplit("timestamp", 150, 300))
    (batch,) = ingest(expand("movielens", str(tmp_path)), spec, LogFormat("movielens"))
    same = {"gender": [b"F"], "genres": [b"Comedy", b"Romance"], "liked": [1]}
    assert [plain(example) for example in batch.examples["train"].to_pylist()] == [{**same, "loved": [0]}]
    assert [plain(example) for example in batch.examples["eval"].to_pylist()] == [{**same, "loved": [1]}]
    assert batch.report.total.rejected == {"unknown_key": 1}


def test_beam_ingests_the_same_rows(tmp_path, log):
    other = str(tmp_path / "other.csv.gz")
    with gzip.open(other, "wb") as file:
        file.write(LOG)
    batches = list(ingest([log, other], SPEC))
    report = batches[0].report.merge(batches[1].report)
    folder = tmp_path / "out"
    with beam.Pipeline() as pipeline:
        outputs = pipeline | beam.Create([((log,), 0), ((other,), 1)]) | IngestPaths(SPEC, str(folder), LogFormat())
        assert_that(outputs[REPORT], equal_to([report]), label="report")
    assert rejected(folder) == [*batches[0].rejects, *batches[1].rejects]
    assert sorted(path.name for path in folder.glob("rejects*")) == ["rejects-00000.jsonl", "rejects-00001.jsonl"]
    for split in SPLITS:
        expected = [plain(example) for batch in batches for example in batch.examples[split].to_pylist()]
        assert written(folder, split) == expected
    assert sorted(map(str, written(folder, SAMPLE))) == sorted(str(row) for s in SPLITS for row in written(folder, s))


def rejected(folder):
    """Rejected rows of all files, in the order of the names of the files."""
    lines = [line for path in sorted(folder.glob("rejects-*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return [Reject(**json.loads(line)) for line in lines]


def written(folder, split):
    files = sorted(str(path) for path in (folder / f"Split-{split}").iterdir())
    return [plain(row) for row in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()]


def test_beam_reports_no_rows_for_an_empty_file(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_bytes(LOG.partition(b"\n")[0] + b"\n")
    with beam.Pipeline() as pipeline:
        outputs = pipeline | beam.Create([((str(path),), 0)]) | IngestPaths(SPEC, str(tmp_path / "out"), LogFormat())
        assert_that(outputs[REPORT], equal_to([IngestReport()]))


def test_missing_column_raises(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(LOG.replace(b"price", b"prize"))
    with pytest.raises(
        MissingColumnError,
        match=r"should have the column price. Received: day, user, city, prize.*Similar names: prize for price",
    ):
        list(ingest([str(path)], SPEC))


def test_expand_lists_files_of_folders_and_patterns(tmp_path):
    for name in ("day-2.csv", "day-1.csv.gz", "other.csv", "notes.txt"):
        (tmp_path / name).write_text("a,b\n")
    (tmp_path / "folder.csv").mkdir()

    def names(path):
        return [found.removeprefix(f"{tmp_path}/") for found in expand("csv", str(path))]

    assert names(tmp_path) == ["day-1.csv.gz", "day-2.csv", "other.csv"]
    assert names(tmp_path / "day-*") == ["day-1.csv.gz", "day-2.csv"]
    assert names(tmp_path / "notes.txt") == ["notes.txt"]


def test_expand_raises_if_no_file_is_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"should be a file, a folder of files \(\*.csv, .* or a pattern"):
        expand("csv", str(tmp_path / "day-*.csv"))
    with pytest.raises(FileNotFoundError, match=r"Missing: users.dat, movies.dat, ratings.dat or ratings.csv"):
        expand("movielens", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"reader should be one of auto, csv, parquet, tfrecord, movielens. Received: 'xml'"
    ):
        expand("xml", str(tmp_path))


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_write_error_fails_the_job(tmp_path, log, monkeypatch, failing):
    """Each of three batches, the last one included, although a batch is written while the next one is read."""
    write, counted = ShardWriter.write, itertools.count(1)

    def breaking(self, examples):
        if "train" in examples and next(counted) == failing:
            raise OSError("no space left on device")
        write(self, examples)

    monkeypatch.setattr(ShardWriter, "write", breaking)
    monkeypatch.setattr(beam_ingest, "ingest_range", lambda *arguments: 3 * list(ingest_range(*arguments)))
    with pytest.raises(Exception, match="no space left on device"), beam.Pipeline() as pipeline:
        _ = pipeline | beam.Create([((log,), 0)]) | beam_ingest.IngestPaths(SPEC, str(tmp_path / "out"), LogFormat())
    assert next(counted) == failing + 1
    assert not list(tmp_path.glob("out/Split-*/*"))


@pytest.mark.parametrize(("range_bytes", "threads"), [(1_000, 1), (150, 3)])
def test_beam_writes_the_same_rows_from_ranges_of_a_file(tmp_path, range_bytes, threads):
    """Rows in the order of the names of the shards, counts of rows and tokens, and rejected rows with their lines."""
    path = tmp_path / "log.csv"
    header, _, rows = LOG.partition(b"\n")
    path.write_bytes(header + b"\n" + rows * 100)
    found = {}
    for size, count in ((1 << 30, 1), (range_bytes, threads)):
        folder = tmp_path / str(size)
        with beam.Pipeline() as pipeline:
            ingest_paths = IngestPaths(SPEC, str(folder), LogFormat(), range_bytes=size, threads=count)
            outputs = pipeline | beam.Create([((str(path),), 0)]) | ingest_paths
            _ = outputs[COUNTS] | WriteVocabularies(SPEC, str(folder / "vocabularies"))
            _ = outputs[REPORT] | "report" >> beam.Map(lambda report, f=str(folder): _save(f, "report", report))
        report = pickle.loads((folder / "report").read_bytes())
        vocabularies = {path.name: path.read_bytes() for path in (folder / "vocabularies").iterdir()}
        found[size] = {split: written(folder, split) for split in SPLITS}, rejected(folder), report, vocabularies
    whole, ranges = found.values()
    assert ranges == whole
    assert len(whole[1]) > 100
    assert whole[3] == {"city": b"Rome\nOslo\n", "tags": b"b\na\n"}
    names = {shard.name.rsplit("-", 1)[0] for shard in (tmp_path / str(range_bytes)).glob("Split-*/*")}
    assert len(names) > 10


def _save(folder, name, value):
    (pathlib.Path(folder) / name).write_bytes(pickle.dumps(value))
