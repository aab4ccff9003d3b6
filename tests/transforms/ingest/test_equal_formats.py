"""The same rows as CSV, TSV, Parquet and TFRecord give the same split, labels and tf.Examples."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tests.transforms.readers.raw_files import write_csv, write_tfrecord
from tfmtl.features import CategoricalFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task
from tfmtl.splits import TimeSplit
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.ingest_files import ingest
from transforms.readers.log_format import LogFormat

ROWS = 400
ZONES = [datetime.timezone(datetime.timedelta(hours=hours)) for hours in (-11, 0, 5.5, 14)]
SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("user"), NumericalFeature("price")),
    (Task("click", "clicked"), Task("buy", "bought", follows="click"), Task("loved", "loved", positive=(">= 4",))),
    split=TimeSplit("time", "2026-11-18T00:30+02:00", "2026-11-24"),
)


def unpadded(moment, zone):
    return f"{moment.year}/{moment.month}/{moment.day} {moment.hour}:{moment.minute:02}:{moment.second:02}"


SPELLINGS = {
    "iso": lambda moment, zone: moment.astimezone(zone).isoformat(),
    "space": lambda moment, zone: moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S%z"),
    "unpadded": unpadded,
    "seconds": lambda moment, zone: str(int(moment.timestamp())),
    "milliseconds": lambda moment, zone: str(int(moment.timestamp()) * 1000),
}
LABELS = {
    "digits": lambda label: str(label),
    "decimals": lambda label: f"{label}.00",
    "words": lambda label: "TRUE" if label else " false",
}


def draw():
    rng = np.random.default_rng(3)
    start = datetime.datetime(2026, 11, 10, tzinfo=datetime.UTC)
    rows = []
    for _ in range(ROWS):
        click = int(rng.random() < 0.5)
        rows.append(
            {
                "user": f"u{rng.integers(20)}",
                "price": float(np.round(rng.lognormal(), 2)),
                "clicked": click,
                "bought": (int(rng.random() < 0.3) if click else None),
                "loved": int(rng.integers(1, 6)),
                "time": start + datetime.timedelta(seconds=int(rng.integers(20 * 86_400))),
                "zone": ZONES[rng.integers(len(ZONES))],
            }
        )
    return rows


RAW = draw()


def texts(spelling, labels):
    """Returns the rows as texts; a missing label is empty."""
    return [
        {
            "user": row["user"],
            "price": row["price"],
            "clicked": LABELS[labels](row["clicked"]),
            "bought": "" if row["bought"] is None else LABELS[labels](row["bought"]),
            "loved": row["loved"],
            "time": SPELLINGS[spelling](row["time"], row["zone"]),
        }
        for row in RAW
    ]


def typed(label_type, time_type):
    columns = {name: [row[name] for row in RAW] for name in ("user", "price", "clicked", "bought", "loved", "time")}
    types = {"clicked": label_type, "bought": label_type, "loved": pa.int8(), "time": time_type}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})


def examples(path):
    """Returns the features of the tf.Examples by split, in the order of the rows."""
    batches = list(ingest([str(path)], SPEC, LogFormat()))
    assert not any(batch.rejects for batch in batches)
    return {
        split: [tf.train.Example.FromString(one) for batch in batches for one in batch.examples[split].to_pylist()]
        for split in SPLITS
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tf.Examples of the CSV, whose split and labels are compared with the rows."""
    path = tmp_path_factory.mktemp("logs") / "log.csv"
    write_csv(texts("iso", "digits"), path)
    found = examples(path)
    bounds = [
        datetime.datetime(2026, 11, 17, 22, 30, tzinfo=datetime.UTC),
        datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC),
    ]
    for i, split in enumerate(SPLITS):
        rows = [row for row in RAW if sum(row["time"] >= bound for bound in bounds) == i]
        assert len(rows) > 50
        labels = [
            tuple(one.features.feature[label].int64_list.value[0] for label in SPEC.labels) for one in found[split]
        ]
        assert labels == [(row["clicked"], row["bought"] or 0, int(row["loved"] >= 4)) for row in rows]
    return found


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("name", "delimiter", "labels"), [("log.csv", ",", "words"), ("log.tsv", "\t", "decimals")])
def test_text_files(spelling, name, delimiter, labels, expected, tmp_path):
    write_csv(texts(spelling, labels), tmp_path / name, delimiter)
    assert examples(tmp_path / name) == expected


@pytest.mark.parametrize("label_type", [pa.bool_(), pa.int64(), pa.float32()])
@pytest.mark.parametrize(
    "time_type", [pa.timestamp("us", "Asia/Kolkata"), pa.timestamp("ms", "UTC"), pa.timestamp("s")]
)
def test_parquet(label_type, time_type, expected, tmp_path):
    table = typed(None, pa.timestamp("us", "UTC"))
    columns = {name: table[name] for name in table.column_names}
    for name in ("clicked", "bought"):
        columns[name] = columns[name].cast(label_type)
    columns["time"] = (
        columns["time"].cast(time_type) if time_type.tz else columns["time"].cast(pa.timestamp("us")).cast(time_type)
    )
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    assert examples(tmp_path / "log.parquet") == expected


@pytest.mark.parametrize("as_numbers", [True, False])
def test_tfrecord(as_numbers, expected, tmp_path):
    rows = []
    for row in RAW:
        time = int(row["time"].timestamp()) if as_numbers else SPELLINGS["space"](row["time"], row["zone"])
        plain = {**row, "time": time, "clicked": float(row["clicked"]) if as_numbers else row["clicked"]}
        rows.append({name: value for name, value in plain.items() if name != "zone" and value is not None})
    write_tfrecord(rows, tmp_path / "log.tfrecord")
    assert examples(tmp_path / "log.tfrecord") == expected
