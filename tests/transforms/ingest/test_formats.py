"""Formats: one log in CSV, Parquet and TFRecord gives identical tf.Examples in the same splits."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.transforms.ingest.format_cases import (
    FEATURES,
    INVALID,
    SPEC,
    TASKS,
    TYPES,
    WRITERS,
    ingested,
    log,
    write_csv,
    write_parquet,
    write_tfrecord,
)
from tfmtl.spec import DatasetSpec, RandomSplit, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.batches.errors import ColumnTypeError, MissingColumnError
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.ingest_files import ingest_batch
from transforms.readers.tfrecord_reader import read_tfrecord


@pytest.fixture(scope="module")
def from_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    write_csv(log(), path)
    return ingested(path)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_identical_examples(name, from_csv, tmp_path):
    WRITERS[name](log(), tmp_path / name)
    examples, rejects = ingested(tmp_path / name)
    for split in SPLITS:
        assert examples[split] == from_csv[0][split]
    assert rejects == from_csv[1]


def test_examples_hold_the_values_of_the_log(from_csv):
    """The values are compared with the log itself, as the formats could all lose the same rows."""
    examples, rejects = from_csv
    assert rejects == {number: reason for number, (_, reason) in INVALID.items()}
    assert all(len(examples[split]) > 20 for split in SPLITS)
    rows = [row for i, row in enumerate(log(), 1) if i not in INVALID]
    ingested_rows = [one for split in SPLITS for one in examples[split]]
    for name in ("tags", "words", "seen"):
        expected = sorted([str(v).encode() for v in row[name] or []] for row in rows)
        assert sorted(one.get(name, []) for one in ingested_rows) == expected
    prices = sorted(np.float32(row["price"]).tobytes() for row in rows if row["price"] not in (None,))
    nan = np.float32("nan").tobytes()
    assert sorted(one["price"] for one in ingested_rows if "price" in one) == [p for p in prices if p != nan]


def test_tokens_of_a_list_are_not_split_at_the_separator(tmp_path):
    rows = [{**row, "words": ["a|b", "c"], "seen": ["1|2"]} for row in log()[:2]]
    write_parquet(rows, tmp_path / "log.parquet", {**TYPES, "seen": pa.list_(pa.string())})
    write_tfrecord(rows, tmp_path / "log.tfrecord")
    for name in ("log.parquet", "log.tfrecord"):
        examples, _ = ingested(tmp_path / name)
        rows = [one for split in SPLITS for one in examples[split]]
        assert [(one["words"], one["seen"]) for one in rows] == [([b"a|b", b"c"], [b"1|2"])] * 2


def test_split_by_time_does_not_depend_on_column_type_or_spelling_of_bounds(tmp_path):
    timestamps = [datetime.datetime(2026, 11, 18, 9) + datetime.timedelta(hours=i) for i in range(24)]
    rows = [row for i, row in enumerate(log(60), 1) if i not in INVALID][:24]
    sizes = []
    for mark in (" ", "T"):
        split = TimeSplit("at", f"2026-11-18{mark}12:00:00", f"2026-11-18{mark}20:30:00")
        spec = DatasetSpec("log", FEATURES, TASKS, split=split)
        kinds = {"text": pa.string(), "local": pa.timestamp("ms"), "utc": pa.timestamp("us", "UTC")}
        for name, kind in kinds.items():
            values = [timestamp.isoformat(mark) if name == "text" else timestamp for timestamp in timestamps]
            written = [{**row, "at": value} for row, value in zip(rows, values, strict=True)]
            write_parquet(written, tmp_path / f"{name}.parquet", {**TYPES, "at": kind})
            examples, _ = ingested(tmp_path / f"{name}.parquet", spec)
            sizes.append({split: len(examples[split]) for split in SPLITS})
    assert sizes == [{"train": 3, "eval": 9, "test": 12}] * 6
    with pytest.raises(ColumnTypeError, match=r"at holds dates or timestamps.* Received: 'noon'"):
        ingested(tmp_path / "utc.parquet", DatasetSpec("log", FEATURES, TASKS, split=TimeSplit("at", "noon", "one")))


@pytest.mark.parametrize(
    "bounds", [("2026-11-18T12:00Z", "2026-11-18T20:30Z"), ("2026-11-18T13:00+01:00", "2026-11-18T21:30+01:00")]
)
def test_bounds_with_a_time_zone(bounds, tmp_path):
    first = datetime.datetime(2026, 11, 18, 9, tzinfo=datetime.UTC)
    timestamps = [first + datetime.timedelta(hours=i) for i in range(24)]
    rows = [row for i, row in enumerate(log(60), 1) if i not in INVALID][:24]
    written = [{**row, "at": timestamp} for row, timestamp in zip(rows, timestamps, strict=True)]
    write_parquet(written, tmp_path / "log.parquet", {**TYPES, "at": pa.timestamp("us", "Asia/Tokyo")})
    split = TimeSplit("at", *bounds)
    examples, _ = ingested(tmp_path / "log.parquet", DatasetSpec("log", FEATURES, TASKS, split=split))
    assert [len(examples[name]) for name in SPLITS] == [3, 9, 12]


@pytest.mark.parametrize("split", [TimeSplit("day", "2026-11-19", "2026-11-20"), RandomSplit(key=("day",))])
def test_hive_partitions_equal_columns_of_the_file(split, tmp_path):
    days = [f"2026-11-{day}" for day in (18, 19, 20)]
    spec = DatasetSpec("log", FEATURES, TASKS, split=split)
    rows = [row for i, row in enumerate(log(60), 1) if i not in INVALID]
    found = {}
    for kind in (pa.string(), pa.date32()):
        dates = [datetime.date.fromisoformat(day) for day in days]
        values = days if kind == pa.string() else dates
        written = [{**row, "day": values[i % 3]} for i, row in enumerate(rows)]
        write_parquet(written, tmp_path / f"{kind}.parquet", {**TYPES, "day": kind})
        found[str(kind)] = ingested(tmp_path / f"{kind}.parquet", spec)
    for day, name in zip(days, ("a.parquet", "b.csv.gz", "c.tfrecord"), strict=True):
        (tmp_path / f"days/day={day}").mkdir(parents=True)
        writer = {"a": write_parquet, "b": write_csv, "c": write_tfrecord}[name[0]]
        writer([row for i, row in enumerate(rows) if days[i % 3] == day], tmp_path / f"days/day={day}/{name}")
    in_folders, rejects = ingested(tmp_path / "days/day=*/*", spec, root=tmp_path / "days")
    assert rejects == {}
    assert found["string"] == found["date32[day]"]
    for name in SPLITS:
        assert sorted(map(str, in_folders[name])) == sorted(map(str, found["string"][0][name]))
    if isinstance(split, TimeSplit):
        assert {name: len(rows) for name, rows in in_folders.items()} == {"train": 17, "eval": 17, "test": 17}


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ("city", pa.float64(), "strings, integers, booleans, dates or timestamps"),
        ("tags", pa.list_(pa.float32()), "strings, integers, booleans, dates or timestamps"),
        ("seen", pa.list_(pa.list_(pa.int64())), "strings, integers, booleans, dates or timestamps"),
        ("user", pa.time64("us"), "strings, integers, booleans, dates or timestamps"),
        ("price", pa.date32(), "numbers, booleans or strings"),
        ("click", pa.timestamp("us"), "numbers, booleans or strings"),
        ("daily", pa.struct([("x", pa.int64())]), "numbers, booleans or strings"),
    ],
)
def test_unsupported_column_type_raises(column, kind, expected, tmp_path):
    rows = [{**log(1)[0], column: None}]
    path = tmp_path / "log.parquet"
    write_parquet(rows, path, {**TYPES, column: kind})
    with pytest.raises(ValueError) as error:
        ingested(path)
    named = f"{path}, from row 1 on: {column} should be {expected}, or lists of them"
    assert str(error.value) == f"{named}. Received: {kind_text(kind)}"


def write_with_numbers_as_cities(path, records, rows):
    """Writes records; those of `rows` have a number as city."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row, record in enumerate(records):
            one = tf.train.Example.FromString(record)
            if row in rows:
                one.features.feature["city"].float_list.value[:] = [0.5]
            writer.write(one.SerializeToString())


@pytest.mark.parametrize("mismatched", [{2}, {0, 7}, {9}, {0, 1, 2, 3}])
@pytest.mark.parametrize("block_bytes", [1 << 20, 3000])
def test_a_record_with_a_mismatched_type_is_rejected(mismatched, block_bytes, tmp_path):
    """The type of a column is that of most records of a block, so that the first record may be rejected too."""
    rows = [{**row, "city": "Rome"} for row in log(12) if row["click"] is not None and not np.isnan(row["buy"])][:10]
    write_tfrecord(rows, tmp_path / "valid.tfrecord")
    records = list(tf.data.TFRecordDataset(str(tmp_path / "valid.tfrecord")).as_numpy_iterator())
    path = tmp_path / "log.tfrecord"
    write_with_numbers_as_cities(path, records, mismatched)
    read = read_tfrecord(str(path), raw_columns(SPEC), block_bytes=block_bytes)
    batches = [ingest_batch(batch, SPEC) for batch in read]
    rejects = {reject.line: reject for batch in batches for reject in batch.rejects}
    lines = {row + 1 for row in mismatched}
    assert {line for line, reject in rejects.items() if reject.reason == "type_mismatch"} == lines
    detail = "city should be strings, integers, booleans, dates or timestamps, as in other rows. Received: [0.5]"
    assert {rejects[line].detail for line in lines} == {detail}
    _, rejects_of_valid = ingested(tmp_path / "valid.tfrecord")
    kept = [line for line in range(1, 11) if line not in rejects_of_valid and line not in lines]
    assert sum(len(examples) for batch in batches for examples in batch.examples.values()) == len(kept) >= 4


def test_a_column_of_mismatched_type_raises(tmp_path):
    rows = [{**row, "city": "Rome"} for row in log(5)]
    write_tfrecord(rows, tmp_path / "valid.tfrecord")
    records = list(tf.data.TFRecordDataset(str(tmp_path / "valid.tfrecord")).as_numpy_iterator())
    write_with_numbers_as_cities(tmp_path / "log.tfrecord", records, set(range(5)))
    with pytest.raises(ColumnTypeError, match=r"log.tfrecord, from row 1 on: city should be strings"):
        ingested(tmp_path / "log.tfrecord")


def kind_text(kind):
    """The type as it is read back from the file, without dictionaries."""
    nested = pa.types.is_list(kind) and pa.types.is_list(kind.value_type)
    return "list<item: list<item: int64>>" if nested else str(kind)


def test_missing_columns_raise(tmp_path):
    rows = log(1)
    write_parquet(rows, tmp_path / "log.parquet", {name: kind for name, kind in TYPES.items() if name != "price"})
    with pytest.raises(MissingColumnError, match=r"should have the column price. Received: city, shop, age"):
        ingested(tmp_path / "log.parquet")


def test_amounts_are_floats_and_0_where_the_event_did_not_happen(from_csv):
    rows = [row for i, row in enumerate(log(), 1) if i not in INVALID]
    expected = sorted(np.float32(row["paid"] or 0).tobytes() for row in rows)
    assert sorted(one["paid"] for split in SPLITS for one in from_csv[0][split]) == expected
    assert any(row["paid"] is None for row in rows)
