"""Ingested logs: the specs that can read them, and their use as the output of ExampleGen."""

import dataclasses
import os
import re

import apache_beam as beam
import pyarrow as pa
import pytest
import tensorflow as tf

from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature, SequenceFeature
from tfmtl.spec import DatasetSpec, GivenSplit, RandomSplit, Task
from transforms.batches.raw_batch import Reject
from transforms.batches.report import IngestReport, SourceReport
from transforms.examples.from_tokens import encode_numbers
from transforms.ingest.beam_adopt import AdoptIngested, link_file
from transforms.ingest.manifest import Column, Manifest
from transforms.ingest.manifest_writer import IngestedWriter
from transforms.ingest.token_counts import SCHEMA

ALL = {"train": 9, "eval": 2, "test": 2}
SPEC = DatasetSpec(
    name="log",
    features=(
        CategoricalFeature("user", min_frequency=2),
        CategoricalFeature("city", default=None),
        MultiValuedFeature("tags", weights="tag_weights", min_frequency=2),
        NumericalFeature("price"),
    ),
    tasks=(Task("click", "click"),),
    group_key="user",
    split=GivenSplit(),
)
COLUMNS = {
    "user": Column("tokens", {"train": 7, "eval": 2, "test": 2}),
    "city": Column("tokens", ALL),
    "tags": Column("tokens", ALL, longest=3),
    "tag_weights": Column("numbers", ALL, longest=3),
    "price": Column("numbers", ALL),
    "click": Column("labels", ALL),
}
COUNTS = {
    "user": {b"a": 4, b"b": 2, b"c": 1},
    "city": {b"Oslo": 9},
    "tags": {b"x": 1, b"y": 5, b"z": 5},
}


def write(folder, rows=ALL):
    writer = IngestedWriter(str(folder), "test", {"prepare": "all"})
    writer.write({split: [encode_numbers({"click": i % 2}) for i in range(count)] for split, count in rows.items()})
    writer.reject("train", [Reject("log.csv", 3, "wrong_column_count", "short", "a,b")])
    counts = {name: pa.table([list(held), list(held.values())], schema=SCHEMA) for name, held in COUNTS.items()}
    report = IngestReport({"log.csv": SourceReport(sum(rows.values()) + 1, dict(rows), {"wrong_column_count": 1})})
    return writer.finish(SPEC, COLUMNS, rows, counts, report, {"sampling_step": 1})


@pytest.fixture
def ingested(tmp_path):
    return tmp_path / "log", write(tmp_path / "log")


def test_specs_of_the_same_columns_can_read_a_log(ingested):
    _, manifest = ingested
    manifest.check_spec(SPEC)
    fewer = (SequenceFeature("tags", max_length=2), CategoricalFeature("city", required=True))
    manifest.check_spec(dataclasses.replace(SPEC, features=fewer, group_key=None))


WRONG = {
    "split.kind: should be given, as the log is split. Received: 'random'": {"split": RandomSplit()},
    "features[0].name: should be a column of tokens: user, city, tags. Received: 'town'": CategoricalFeature("town"),
    "features[0].name: should be a column of tokens": CategoricalFeature("price"),
    "features[0].name: should be a column of numbers: tag_weights, price. Received: 'user'": NumericalFeature("user"),
    "features[0].kind: should be a kind of list, as rows have up to 3 values": CategoricalFeature("tags"),
    "features[0].required: should be false, as some rows have no value": CategoricalFeature("user", required=True),
    "features[0].weights: should be a column of numbers": MultiValuedFeature("tags", weights="w"),
    "tasks[0].label: should be a column of labels: click. Received: 'clicked'": {"tasks": (Task("click", "clicked"),)},
    "group_key: should be a column of tokens": {"group_key": "price"},
}


@pytest.mark.parametrize("message", WRONG)
def test_other_specs_cannot_read_a_log(ingested, message):
    change = WRONG[message]
    change = change if isinstance(change, dict) else {"features": (change,)}
    with pytest.raises(FieldError, match=re.escape(message)):
        ingested[1].check_spec(dataclasses.replace(SPEC, **change))


def test_a_log_needs_rows_in_every_split(tmp_path):
    manifest = write(tmp_path / "log", {"train": 9, "eval": 0, "test": 2})
    with pytest.raises(FieldError, match=r"a split with rows in train, eval, test. Received: 'none in eval'"):
        manifest.check_spec(SPEC)


def test_missing_values_count_as_the_default(ingested):
    """Two of nine training rows have no user; they count as they do when rows are ingested from files."""
    folder, manifest = ingested

    def counts(feature):
        table = manifest.token_counts(str(folder), feature)
        return dict(zip(table["token"].to_pylist(), table["count"].to_pylist(), strict=True))

    assert counts(CategoricalFeature("user")) == {**COUNTS["user"], b"<missing>": 2}
    assert counts(CategoricalFeature("user", default="b")) == {**COUNTS["user"], b"b": 4}
    assert counts(CategoricalFeature("user", default=None)) == COUNTS["user"]
    assert counts(CategoricalFeature("city")) == COUNTS["city"]
    assert counts(MultiValuedFeature("tags")) == COUNTS["tags"]


def test_adopting_a_log_links_its_files_and_writes_vocabularies(ingested, tmp_path):
    folder, manifest = ingested
    out = tmp_path / "artifact"
    with beam.Pipeline() as pipeline:
        _ = pipeline | AdoptIngested(str(folder), str(out), SPEC, str(out / "vocabularies"))
    for split, count in ALL.items():
        files = [str(path) for path in (out / f"Split-{split}").iterdir()]
        assert len(list(tf.data.TFRecordDataset(files, "GZIP"))) == count
    assert (out / "rejects-train.jsonl").read_text() == (folder / "rejects-train.jsonl").read_text()
    vocabularies = {path.name: path.read_text().split() for path in (out / "vocabularies").iterdir()}
    assert vocabularies == {"user": ["a", "b", "<missing>"], "city": ["Oslo"], "tags": ["z", "y"]}
    assert manifest == Manifest.load(str(folder)), "the adopted log remains unchanged"


def test_linking_a_file_again_leaves_the_source_unchanged(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("rows")
    for _ in range(2):
        link_file("x", str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b" / "x").read_text() == (tmp_path / "a" / "x").read_text() == "rows"
    assert os.path.samefile(tmp_path / "a" / "x", tmp_path / "b" / "x")


def test_a_file_is_copied_if_it_cannot_be_linked(tmp_path, monkeypatch):
    def refuse(*paths):
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "x").write_text("rows")
    for _ in range(2):
        link_file("x", str(tmp_path), str(tmp_path / "b"))
    assert (tmp_path / "b" / "x").read_text() == "rows"
    assert not os.path.samefile(tmp_path / "x", tmp_path / "b" / "x")


def test_another_format_is_not_read(ingested):
    folder, _ = ingested
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(FileNotFoundError, match=r"format should be 1; ingest the log again. Received: 0"):
        Manifest.load(str(folder))
