"""Ingested log of Ali-CCP: equal to the reference implementation in plain Python."""

import collections
import dataclasses
import gzip
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.transforms.ali_ccp.plain import FIELDS, SPLITS, prepare
from tests.transforms.ali_ccp.raw_cases import write_raw
from tfmtl.config import FieldError
from transforms.ali_ccp.fields import PREPARATIONS
from transforms.ali_ccp.ingest import ingest_ali_ccp
from transforms.ali_ccp.options import IngestOptions
from transforms.batches.reasons import REASONS
from transforms.ingest.manifest import Manifest
from transforms.ingest.sampling import SAMPLE
from transforms.ingest.token_counts import order

NAMES = ("all", "aitm", "adaftr")


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> pathlib.Path:
    return write_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module", params=NAMES)
def made(request, raw, tmp_path_factory):
    """Name, folder and manifest of each preparation."""
    folder = tmp_path_factory.mktemp(request.param) / "out"
    return request.param, folder, ingest_ali_ccp(str(raw), str(folder), IngestOptions(request.param))


def decode(example):
    """Decodes a serialized tf.Example to lists of strings and numbers by name."""
    values_by_name = {}
    for name, feature in tf.train.Example.FromString(example).features.feature.items():
        values = list(getattr(feature, feature.WhichOneof("kind")).value)
        values_by_name[name] = [value.decode() if isinstance(value, bytes) else value for value in values]
    return values_by_name


def written(folder, manifest, split):
    files = [str(folder / name) for name in manifest.shards.get(split, ())]
    return [decode(example) for example in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()]


def round_to_float32(row):
    """Rounds the numbers of a row to float32."""
    return {k: [float(np.float32(v)) if isinstance(v, float) else v for v in values] for k, values in row.items()}


def test_rows_equal_the_reference(made, raw):
    name, folder, manifest = made
    expected = prepare(raw, name).rows
    assert all(expected[split] for split in SPLITS)
    for split in SPLITS:
        assert written(folder, manifest, split) == [round_to_float32(row) for row in expected[split]]
        assert manifest.rows[split] == len(expected[split])


def test_rejects_equal_the_reference(made, raw):
    name, folder, manifest = made
    lines = [line for file in manifest.rejects for line in (folder / file).read_text("utf-8").splitlines()]
    rejects = [json.loads(line) for line in lines]
    found = sorted((pathlib.Path(r["source"]).name, r["line"], r["reason"]) for r in rejects)
    assert found == prepare(raw, name).rejects
    assert {reject["reason"] for reject in rejects} <= set(REASONS)
    for reject in rejects:
        text = pathlib.Path(reject["source"]).read_bytes().split(b"\n")[reject["line"] - 1]
        assert reject["text"] == text.decode("utf-8", "backslashreplace")


def test_raw_cases_cover_all_reasons(raw):
    reasons = {reason for _, _, reason in prepare(raw, "all").rejects}
    assert reasons == {
        "invalid_encoding",
        "invalid_id",
        "invalid_weights",
        "broken_chain",
        "wrong_column_count",
        "duplicate_id",
        "incomplete_feature",
        "invalid_label",
        "missing_common_row",
        "missing_label",
    }


def test_every_row_is_counted_once(made, raw):
    name, _, manifest = made
    total = manifest.report.total
    expected = prepare(raw, name)
    rejects = collections.Counter(reason for file, _, reason in expected.rejects if file.startswith("sample"))
    assert total.rejected == rejects
    assert total.accepted == {split: len(expected.rows[split]) for split in SPLITS}
    lines = [path.read_bytes().split(b"\n") for path in raw.glob("sample_skeleton_*.csv")]
    assert total.read == sum(1 for file in lines for line in file if line)
    common = manifest.notes["common"]
    assert common["rejected"] == collections.Counter(r for f, _, r in expected.rejects if f.startswith("common"))
    assert common["read"] == common["accepted"]["common"] + sum(common["rejected"].values()) == 10


def test_vocabularies_equal_the_reference(made, raw):
    """Rare tokens, tokens of other splits only, and missing values are not in the vocabulary."""
    name, folder, manifest = made
    expected = prepare(raw, name)
    assert expected.vocabulary("f205", 12)
    for feature in PREPARATIONS[name].spec.features:
        for least in (1, 2, feature.min_frequency):
            pruned = dataclasses.replace(feature, min_frequency=least)
            tokens = [token.decode() for token in order(manifest.token_counts(str(folder), feature), pruned)]
            assert [token for token in tokens if "-" not in token] == expected.vocabulary(feature.name, least)


def test_columns_give_number_of_rows_and_longest_list(made, raw):
    name, _, manifest = made
    rows = prepare(raw, name).rows
    assert {column for split in SPLITS for row in rows[split] for column in row} <= set(manifest.columns)
    for column, described in manifest.columns.items():
        assert described.rows == {split: sum(column in row for row in rows[split]) for split in SPLITS}
        lengths = [len(row.get(column, [])) for split in SPLITS for row in rows[split]]
        assert described.longest == max([*lengths, int(column == "f101")])  # Unused common rows count too.
    assert manifest.columns["f205"].longest == (2 if name == "all" else 1)
    if name != "aitm":
        assert manifest.columns["f109_14"].longest == manifest.columns["f109_14_value"].longest == 3


def test_notes_of_unknown_and_repeated_fields(made):
    name, _, manifest = made
    assert manifest.notes["unknown_fields"] == {"777": 1, "999": 2}
    assert manifest.notes["in_both"] == {"101": 1, "205": 2 + sum(i % 2 for i in range(100, 180))} | (
        {} if name == "aitm" else {"150_14": 1}
    )


def test_manifest_round_trip(made):
    _, folder, manifest = made
    assert Manifest.load(str(folder)) == manifest
    plain_manifest = json.loads((folder / "manifest.json").read_text())
    assert plain_manifest["spec_hash"] == manifest.spec.hash
    assert plain_manifest["made_by"]["prepare"] == made[0]
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    shards = [name for names in manifest.shards.values() for name in names]
    assert sorted(files) == sorted([*shards, *manifest.counts.values(), *manifest.rejects, "manifest.json"])


def test_sample_of_a_small_log_has_all_rows(made):
    _, folder, manifest = made
    rows = [row for split in SPLITS for row in written(folder, manifest, split)]
    sample = [{name: values for name, values in row.items() if values} for row in written(folder, manifest, SAMPLE)]
    assert sorted(map(repr_of, sample)) == sorted(map(repr_of, rows))


def repr_of(row):
    return str(sorted(row.items()))


def test_sample_has_an_empty_feature_for_an_absent_field(raw, tmp_path):
    """The schema takes the type of the feature from the sample."""
    for path in raw.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"109_14\x02", b"777\x02"))
    manifest = ingest_ali_ccp(str(tmp_path), str(tmp_path / "out"), IngestOptions())
    assert sum(manifest.columns["f109_14"].rows.values()) == 0
    examples = [
        tf.train.Example.FromString(example).features.feature
        for name in manifest.shards[SAMPLE]
        for example in tf.data.TFRecordDataset(str(tmp_path / "out" / name), "GZIP").as_numpy_iterator()
    ]
    with_field = [example for example in examples if "f109_14" in example]
    assert with_field
    for example in with_field:
        assert example["f109_14"].WhichOneof("kind") == "bytes_list"
        assert example["f109_14_value"].WhichOneof("kind") == "float_list"


@pytest.mark.parametrize("block_bytes", [1, 50, 400])
def test_output_is_independent_of_block_size(made, raw, tmp_path, block_bytes):
    name, folder, manifest = made
    again = ingest_ali_ccp(str(raw), str(tmp_path / "out"), IngestOptions(name), block_bytes=block_bytes)
    assert dataclasses.replace(again, shards={}) == dataclasses.replace(manifest, shards={})
    for split in SPLITS:
        assert written(tmp_path / "out", again, split) == written(folder, manifest, split)
    for file in manifest.rejects:
        assert (tmp_path / "out" / file).read_text() == (folder / file).read_text()


def test_options(raw, tmp_path):
    options = IngestOptions("adaftr", eval=0.3, seed=5, max_values=1)
    manifest = ingest_ali_ccp(str(raw), str(tmp_path / "out"), options)
    expected = prepare(raw, "adaftr", share=0.3, seed=5, max_values=1).rows
    for split in SPLITS:
        assert written(tmp_path / "out", manifest, split) == [round_to_float32(row) for row in expected[split]]
    assert expected["eval"] != prepare(raw, "adaftr", share=0.3, seed=6, max_values=1).rows["eval"]
    assert manifest.columns["f109_14"].longest == 1
    none = ingest_ali_ccp(str(raw), str(tmp_path / "none"), IngestOptions(eval=0.0))
    assert none.rows["eval"] == 0
    assert none.rows["train"] == manifest.rows["train"] + manifest.rows["eval"]


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"prepare": "apem"}, "prepare", "should be one of all, aitm, adaftr. Received: 'apem'"),
        ({"eval": 1.0}, "eval", "should be from 0 to below 1"),
        ({"seed": -1}, "seed", "should be 0 or more"),
        ({"max_values": 0}, "max_values", "should be at least 1"),
        ({"prepare": "aitm", "max_values": 3}, "max_values", "should be omitted, because aitm has no lists"),
    ],
)
def test_rejects_invalid_options(options, field, message):
    with pytest.raises(FieldError, match=message) as caught:
        IngestOptions(**options)
    assert caught.value.path == (field,)


def test_ingests_compressed_files(made, raw, tmp_path):
    name, folder, manifest = made
    for path in raw.iterdir():
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    again = ingest_ali_ccp(str(tmp_path), str(tmp_path / "out"), IngestOptions(name))
    for split in SPLITS:
        assert written(tmp_path / "out", again, split) == written(folder, manifest, split)


def test_error_names_missing_files(raw, tmp_path):
    (tmp_path / "common_features_train.csv").write_text("")
    with pytest.raises(
        FileNotFoundError, match=r"Missing: sample_skeleton_train.csv, common_features_test.csv, sample"
    ):
        ingest_ali_ccp(str(tmp_path), str(tmp_path / "out"), IngestOptions())


def test_ingests_empty_files(tmp_path):
    for name in ("common_features_train", "common_features_test", "sample_skeleton_train", "sample_skeleton_test"):
        (tmp_path / f"{name}.csv").write_text("")
    manifest = ingest_ali_ccp(str(tmp_path), str(tmp_path / "out"), IngestOptions())
    assert manifest.rows == dict.fromkeys(SPLITS, 0)
    assert manifest.report.total.read == 0
    assert set(manifest.columns) >= {f"f{field}" for field in FIELDS}
