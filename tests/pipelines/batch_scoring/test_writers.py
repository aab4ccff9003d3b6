import csv
import datetime
import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from pipelines.batch_scoring.writers import WRITERS
from transforms.batches.errors import ColumnTypeError

TABLE = pa.table(
    {
        "user": pa.array(["a", None, 'x,"y"\nz']),
        "age": pa.array([3, None, -7], pa.int32()),
        "day": pa.array([datetime.date(2026, 11, 29), None, datetime.date(2026, 1, 2)]),
        "tags": pa.array([["1", "", "2"], None, []], pa.list_(pa.string())),
        "days": pa.array([[1.5, None], [2.0], None], pa.list_(pa.float64())),
        "ctr": pa.array([0.1, 1e-9, 0.25], pa.float32()),
    }
)


def write(kind, folder, *tables):
    path = str(folder / f"scores{kind}")
    writer = WRITERS[kind](path)
    for table in tables:
        writer.write(table)
    writer.close()
    return path


@pytest.mark.parametrize("kind", [".csv", ".csv.gz"])
def test_csv(tmp_path, kind):
    path = write(kind, tmp_path, TABLE, TABLE.slice(1, 1))
    with (gzip.open if kind.endswith(".gz") else open)(path, "rt", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == TABLE.column_names
    assert rows[0][:3] == ["a", "3", "2026-11-29"]
    assert rows[1][:4] == ["", "", "", ""]
    assert rows[2][0] == 'x,"y"\nz'
    assert [json.loads(rows[0][3]), json.loads(rows[0][4])] == [["1", "", "2"], [1.5, None]]
    assert [np.float32(row[5]) for row in rows] == [
        np.float32(0.1),
        np.float32(1e-9),
        np.float32(0.25),
        np.float32(1e-9),
    ]


def test_parquet_keeps_types_and_joins_small_tables(tmp_path):
    path = write(".parquet", tmp_path, *[TABLE] * 4)
    assert pq.read_table(path).equals(pa.concat_tables([TABLE] * 4))
    assert pq.ParquetFile(path).metadata.num_row_groups == 1


def test_parquet_refuses_a_column_whose_type_changes(tmp_path):
    first, other = pa.table({"x": pa.array([1, 2])}), pa.table({"x": pa.array(["a"])})
    with pytest.raises(ColumnTypeError, match=r"should have x of type int64, as before\. Received: x of type string"):
        write(".parquet", tmp_path, first, other)


@pytest.mark.parametrize("kind", [".tfrecord", ".tfrecord.gz"])
def test_tfrecord(tmp_path, kind):
    path = write(kind, tmp_path, TABLE)
    records = tf.data.TFRecordDataset(path, "GZIP" if kind.endswith(".gz") else "")
    found = [tf.train.Example.FromString(record.numpy()).features.feature for record in records]
    assert found[0]["tags"].bytes_list.value == [b"1", b"", b"2"]
    assert found[0]["age"].int64_list.value == [3]
    assert found[0]["day"].bytes_list.value == [b"2026-11-29"]
    np.testing.assert_array_equal(found[0]["days"].float_list.value, [1.5, np.nan])
    assert sorted(found[1]) == ["ctr", "days"]
    assert [one["ctr"].float_list.value[0] for one in found] == TABLE["ctr"].to_pylist()


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_without_rows_can_be_read(tmp_path, kind):
    path = write(kind, tmp_path, TABLE.slice(0, 0))
    if kind == ".parquet":
        assert pq.read_table(path).equals(TABLE.slice(0, 0))
    elif kind.startswith(".csv"):
        with (gzip.open if kind.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
            assert next(csv.reader(file)) == TABLE.column_names
