"""Shards: all rows in their order, and no file before it is complete."""

import pytest
import tensorflow as tf

from transforms.examples.shards import ShardWriter


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.gz"))


def rows(folder, split):
    names = sorted(str(path) for path in (folder / f"Split-{split}").iterdir())
    return list(tf.data.TFRecordDataset(names, compression_type="GZIP").as_numpy_iterator())


def test_rows_keep_their_order_across_shards(tmp_path):
    writer = ShardWriter(str(tmp_path), "00007", shard_bytes=25)
    data = [b"row %04d" % i for i in range(10)]
    writer.write({"train": data[:4], "eval": [b"x"]})
    writer.write({"train": data[4:], "test": []})
    writer.finish()
    assert files(tmp_path) == [
        "Split-eval/data_tfrecord-00007-00000.gz",
        "Split-train/data_tfrecord-00007-00000.gz",
        "Split-train/data_tfrecord-00007-00001.gz",
        "Split-train/data_tfrecord-00007-00002.gz",
    ]
    assert rows(tmp_path, "train") == data
    assert rows(tmp_path, "eval") == [b"x"]


def test_a_shard_appears_when_it_is_finished_and_replaces_an_earlier_one(tmp_path):
    writer = ShardWriter(str(tmp_path), "0")
    writer.write({"train": [b"a"]})
    assert files(tmp_path) == []
    again = ShardWriter(str(tmp_path), "0")
    for row in (b"a", b"b"):
        again.write({"train": [row]})
    again.finish()
    assert rows(tmp_path, "train") == [b"a", b"b"]
    writer.finish()
    assert rows(tmp_path, "train") == [b"a"], "the shard that is finished last replaces the earlier one"


@pytest.mark.parametrize("count", [0, 1])
def test_a_split_without_rows_has_no_file(tmp_path, count):
    writer = ShardWriter(str(tmp_path), "0")
    writer.write({"train": [b"a"] * count})
    writer.finish()
    assert len(files(tmp_path)) == count
