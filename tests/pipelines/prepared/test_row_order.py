"""Order of rows that does not depend on how they were written, the sorting of rows, and the columns read from them."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.compare.fitters.last_week import LastWeekOptions, sum_last_days
from pipelines.prepared import row_order as order
from pipelines.prepared.columns import ColumnReader
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    name="rows",
    features=(
        CategoricalFeature("user"),
        NumericalFeature("price"),
        MultiValuedFeature("tags", weights="tag_weights"),
        NumberSequenceFeature("clicks", max_length=4),
    ),
    tasks=(Task("next", "next", kind="count"),),
    group_key="city",
)


def feature(values):
    kind = type(values[0])
    if kind is bytes:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if kind is float:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def example(reverse=False, **columns):
    """Serialized tf.Example of the columns, whose features are written in either order."""
    names = sorted(columns, reverse=reverse)
    parts = (
        tf.train.Example(features=tf.train.Features(feature={n: feature(columns[n])})) for n in names if columns[n]
    )
    return b"".join(part.SerializeToString() for part in parts)  # Parsing merges concatenated messages.


def random_rows(count):
    rng = np.random.default_rng(5)
    for i in range(count):
        tags = [b"a", b"b", b"c"][: i % 4]
        yield {
            "user": [b"u%d" % rng.integers(3)],
            "price": [float(np.float32(rng.random()))] if i % 5 else [],
            "tags": tags,
            "tag_weights": [1.0] * len(tags),
            "clicks": [float(rng.integers(4)) for _ in range(i % 5)],
            "next": [int(rng.integers(3))],
            "city": [b"c%d" % (i % 7)] if i % 6 else [],
        }


def fingerprints(examples):
    blocks = list(order.fingerprints(SPEC, tf.data.Dataset.from_tensor_slices(examples)))
    assert np.concatenate([rows for rows, _ in blocks]).tolist() == list(examples)
    return np.concatenate([keys for _, keys in blocks])


def columns_of(examples, size=16):
    reader = ColumnReader(SPEC)
    for start in range(0, len(examples), size):
        reader.add(examples[start : start + size])
    return reader.columns()


def test_order_does_not_depend_on_how_rows_were_written():
    contents = list(random_rows(300))
    one = [example(**columns) for columns in contents]
    other = [example(reverse=True, **contents[i]) for i in np.random.default_rng(1).permutation(300)]
    assert one[1] != example(reverse=True, **contents[1])
    prints, others = fingerprints(one), fingerprints(other)
    np.testing.assert_array_equal(np.sort(prints), np.sort(others))
    ordered = [
        columns_of([examples[i] for i in np.argsort(p)]).labels["next"]
        for examples, p in ((one, prints), (other, others))
    ]
    np.testing.assert_array_equal(*ordered)
    expected = [columns["next"][0] for columns in contents]
    np.testing.assert_array_equal(columns_of(one).labels["next"], expected)


@pytest.mark.parametrize(
    "change",
    [
        {"user": [b"u9"]},
        {"price": [0.5 + 1e-7]},
        {"price": []},
        {"tags": [b"a", b"c"]},
        {"tags": [b"ab"], "tag_weights": [1.0]},
        {"tag_weights": [1.0, 2.0]},
        {"clicks": [1.0, 3.0]},
        {"next": [4]},
        {"city": [b"d"]},
        {"city": []},
    ],
    ids=str,
)
def test_fingerprint_depends_on_every_column(change):
    columns = {
        "user": [b"u1"], "price": [0.5], "tags": [b"a", b"b"], "tag_weights": [1.0, 1.0], "clicks": [3.0, 1.0],
        "next": [3], "city": [b"c"],
    }  # fmt: skip
    one, other = fingerprints([example(**columns), example(**{**columns, **change})])
    assert one != other


def test_rows_of_one_group_key_have_one_number():
    contents = list(random_rows(50))
    groups = columns_of([example(**columns) for columns in contents], size=7).groups
    keys = [tuple(columns["city"]) for columns in contents]
    for i in range(50):
        np.testing.assert_array_equal(groups == groups[i], [key == keys[i] for key in keys])


@pytest.mark.parametrize("parts", [1, 3, 64])
def test_rows_are_sorted_in_any_number_of_parts(tmp_path, parts):
    rng = np.random.default_rng(3)
    keys = rng.integers(2**63 - 1, size=1000)
    keys[500:] = keys[rng.integers(500, size=500)]  # Rows with equal fingerprints stay in their order.
    rows = [b"row %d" % i for i in range(len(keys))]
    sorter = order.RowSorter(tmp_path, parts)
    for start in range(0, len(rows), 64):
        sorter.add(rows[start : start + 64], keys[start : start + 64])
    assert sorter.rows == len(rows)
    found = list(sorter.sorted_parts())
    assert len(found) >= parts
    places = np.argsort(keys, kind="stable")
    assert [row for examples, _, _ in found for row in examples] == [rows[place] for place in places]
    np.testing.assert_array_equal(np.concatenate([part for _, part, _ in found]), keys[places])
    np.testing.assert_array_equal(np.concatenate([part for _, _, part in found]), places)
    assert not list(tmp_path.iterdir())


def test_last_week_sums_the_last_days(tmp_path):
    path = str(tmp_path / "test.gz")
    series = [[1.0, 2.0, 3.0, 4.0], [5.0], [], [1.0, float("nan"), 2.0]]
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for values in series:
            writer.write(example(user=[b"u"], next=[1], clicks=values))
    sums = sum_last_days(SPEC, [path], LastWeekOptions({"next": "clicks"}, days=3))
    np.testing.assert_array_equal(sums["next"], [9.0, 5.0, 0.0, 3.0])
