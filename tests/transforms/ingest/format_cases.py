"""A log with all kinds of columns, its writers in each supported format, and its ingestion."""

import csv
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.features import (
    CategoricalFeature,
    DenseFeature,
    Hashing,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec, RandomSplit, Task
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.ingest_files import ingest
from transforms.readers.file_selection import expand
from transforms.readers.log_format import LogFormat

FEATURES = (
    CategoricalFeature("city"),
    CategoricalFeature("shop", required=True),
    NumericalFeature("price"),
    NumericalFeature("age"),
    MultiValuedFeature("tags", weights="tag_weights"),
    MultiValuedFeature("words"),
    SequenceFeature("seen"),
    NumberSequenceFeature("daily"),
    DenseFeature("title", length=2),
    CategoricalFeature("device", hashed=Hashing(100)),
    SequenceFeature("devices", vocabulary="device"),
)
TASKS = (
    Task("click", "click"),
    Task("buy", "buy", follows="click"),
    Task("visits", "visits", kind="count"),
    Task("paid", "paid", kind="value", follows="buy"),
)
SPEC = DatasetSpec("log", FEATURES, TASKS, group_key="user", split=RandomSplit(eval=0.2, test=0.2))
LISTS = ("tags", "tag_weights", "words", "seen", "daily", "title", "devices")
TYPES = {
    "city": pa.string(),
    "shop": pa.int32(),
    "price": pa.float64(),
    "age": pa.int16(),
    "tags": pa.list_(pa.string()),
    "tag_weights": pa.list_(pa.float32()),
    "words": pa.large_list(pa.large_string()),
    "seen": pa.list_(pa.int64()),
    "daily": pa.list_(pa.float64()),
    "title": pa.list_(pa.float32()),
    "device": pa.string(),
    "devices": pa.list_(pa.string()),
    "click": pa.bool_(),
    "buy": pa.float64(),
    "visits": pa.int64(),
    "paid": pa.float64(),
    "user": pa.dictionary(pa.int32(), pa.string()),
}
INVALID = {  # Changed values and reason of each invalid row, by the row's number.
    3: ({"click": None}, "missing_label"),
    7: ({"click": True, "buy": float("nan")}, "missing_label"),
    11: ({"click": False, "buy": 1.0, "paid": 2.5}, "broken_chain"),
    15: ({"visits": -1}, "invalid_label"),
    19: ({"shop": None}, "missing_required"),
    23: ({"price": float("inf")}, "not_a_number"),
    25: ({"paid": -1.0}, "invalid_label"),
    27: ({"tags": ["a", "b"], "tag_weights": [1.0]}, "invalid_weights"),
    31: ({"title": [0.5, float("inf")]}, "invalid_vector"),
}


def draw_list(rng, values, longest):
    return [values[i] for i in rng.integers(len(values), size=rng.integers(longest + 1))]


def log(rows=200):
    """Rows of values, None if missing; lists may be empty, and a position of `daily` may be None."""
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(rows):
        tags = draw_list(rng, ["a", "Ü", "日本", "long tag"], 4)
        click = bool(rng.random() < 0.5)
        buy = float(click and rng.random() < 0.5)
        drawn.append(
            {
                "city": [None, "Rome", "Zürich", "São Paulo", "東京", 'a "b", c'][rng.integers(6)],
                "shop": int(rng.integers(50)),
                "price": [None, float("nan"), 0.1, -3.25, 1e-6, 16777217.0, float(rng.random())][rng.integers(7)],
                "age": [None, 0, int(rng.integers(100))][rng.integers(3)],
                "tags": tags,
                "tag_weights": [float(np.float32(weight)) for weight in rng.random(len(tags))],
                "words": draw_list(rng, ["x", "y z"], 2) or None,
                "seen": draw_list(rng, list(range(9)), 3),
                "daily": draw_list(rng, [None, 0.5, 2.0, 7.0], 3),
                "title": [None, [0.5, float(rng.integers(9))], [-1.25, None]][rng.integers(3)],
                "device": [None, "d1", "ü2"][rng.integers(3)],
                "devices": draw_list(rng, ["d1", "d2", "ü2"], 3),
                "click": click,
                "buy": buy,
                "visits": int(rng.integers(4)),
                "paid": float(rng.integers(1, 400) / 8) if buy else [None, 0.0][rng.integers(2)],
                "user": [None, "u1", "ü2"][rng.integers(3)],
            }
        )
    for number, (change, _) in INVALID.items():
        drawn[number - 1 : number] = [{**row, **change} for row in drawn[number - 1 : number]]
    return drawn


def format_value(value, name):
    if name in LISTS:
        return "|".join(format_value(one, "") for one in value or [])
    if value is None or (name == "buy" and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def write_csv(rows, path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(TYPES)
        writer.writerows([format_value(row[name], name) for name in TYPES] for row in rows)


def write_parquet(rows, path, types=TYPES):
    table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()})
    pq.write_table(table, path, row_group_size=64, compression="gzip")


def feature(values):
    if not values:
        return tf.train.Feature()
    if isinstance(values[0], str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
    if all(isinstance(value, int) for value in values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[float("nan") if v is None else v for v in values]))


def example(row):
    """A tf.Example in which a missing value has no feature, or a feature without values."""
    features = {}
    for name, value in row.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        if values or name in LISTS:
            features[name] = feature(values)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_tfrecord(rows, path):
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for row in rows:
            writer.write(example(row))


WRITERS = {
    "log.csv": write_csv,
    "log.csv.gz": write_csv,
    "log.parquet": write_parquet,
    "log.tfrecord": write_tfrecord,
    "data_tfrecord-00000-of-00001.gz": write_tfrecord,
}


def plain(data):
    """The features of a serialized tf.Example that have values; numbers as bytes, because NaN is not equal to NaN."""
    features = tf.train.Example.FromString(data).features.feature
    kinds = {name: one.WhichOneof("kind") for name, one in features.items()}
    values = {name: getattr(features[name], kind).value for name, kind in kinds.items() if kind}
    return {
        name: np.float32(value).tobytes() if kinds[name] == "float_list" else list(value)
        for name, value in sorted(values.items())
        if value
    }


def ingested(path, spec=SPEC, reader="auto", root=None):
    """The tf.Examples by split, and the reason of each rejected row by the row's number."""
    root = None if root is None else str(root)
    batches = list(ingest(expand(reader, str(path)), spec, LogFormat(reader), root))
    first = 2 if ".csv" in path.name else 1
    rejects = {reject.line - first + 1: reject.reason for batch in batches for reject in batch.rejects}
    return {
        split: [plain(e) for batch in batches for e in batch.examples[split].to_pylist()] for split in SPLITS
    }, rejects
