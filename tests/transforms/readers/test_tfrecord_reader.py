"""Reader of tf.Examples: values, record numbers, features of several kinds, and malformed records."""

import pytest
import tensorflow as tf

from transforms.readers.tfrecord_reader import read_tfrecord


def example(**features):
    """Serializes a tf.Example of features by name; each has bytes, floats or integers."""
    encoded = {}
    for name, values in features.items():
        if not values:
            encoded[name] = tf.train.Feature()
        elif isinstance(values[0], bytes):
            encoded[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        elif isinstance(values[0], float):
            encoded[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            encoded[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Example(features=tf.train.Features(feature=encoded)).SerializeToString()


@pytest.fixture
def write(tmp_path):
    def write_records(records):
        path = str(tmp_path / "log.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for record in records:
                writer.write(record)
        return path

    return write_records


def rows(path, columns, **options):
    """Returns the columns of each row by record number, and number and reason of each reject."""
    found, rejects = {}, []
    for batch in read_tfrecord(path, columns, **options):
        found |= dict(zip(batch.lines.tolist(), batch.columns.to_pylist(), strict=True))
        rejects += [(reject.line, reject.reason) for reject in batch.rejects]
    return found, rejects


@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_reads_values(write, block_bytes):
    path = write([example(a=[b"x", b""], b=[i], c=[0.5, 2.0], other=[b"?"]) for i in range(50)])
    found, rejects = rows(path, ["c", "a", "b"], block_bytes=block_bytes)
    assert found == {i + 1: {"c": [0.5, 2.0], "a": ["x", ""], "b": [i]} for i in range(50)}
    assert rejects == []


@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_absent_features_are_missing_values(write, block_bytes):
    """A feature that the first hundred records lack is read from the others."""
    records = [example(a=[1]) for _ in range(100)] + [example(a=[], b=[2.5]), example(), b""]
    found, rejects = rows(write(records), ["a", "b", "never"], block_bytes=block_bytes)
    assert [found[i] for i in (1, 100)] == [{"a": [1], "b": None, "never": None}] * 2
    assert found[101] == {"a": None, "b": [2.5], "never": None}
    assert found[102] == found[103] == {"a": None, "b": None, "never": None}
    assert rejects == []


@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_kinds_may_differ_between_records(write, block_bytes):
    records = [example(a=[1], b=[b"x"]), example(a=[2.5]), example(a=[b"3"], b=[4]), example(a=[5]), example(b=[b"y"])]
    found, rejects = rows(write(records * 20), ["a", "b"], block_bytes=block_bytes)
    assert len(found) == 100
    assert [found[i] for i in range(96, 101)] == [
        {"a": [1], "b": ["x"]},
        {"a": [2.5], "b": None},
        {"a": ["3"], "b": [4]},
        {"a": [5], "b": None},
        {"a": None, "b": ["y"]},
    ]
    assert rejects == []


def test_the_main_kind_is_that_of_most_records_with_the_feature(write):
    """Records that lack the feature belong to the batch of its first kind but do not count for it."""
    records = [example(a=[0.5], b=[1]), *[example(b=[1])] * 5, *[example(a=[b"x"], b=[1])] * 3]
    batches = list(read_tfrecord(write(records), ["a", "b"]))
    assert {tuple(batch.lines.tolist()): batch.mismatched_columns for batch in batches} == {
        (1, 2, 3, 4, 5, 6): frozenset("a"),
        (7, 8, 9): frozenset(),
    }


def test_mismatched_columns_are_kept_when_a_row_is_not_utf8(write):
    records = [*[example(a=[b"x"], b=[b"y"])] * 3, example(a=[0.5], b=[b"\xff"]), example(a=[0.5], b=[b"y"])]
    batches = list(read_tfrecord(write(records), ["a", "b"]))
    assert [(batch.lines.tolist(), sorted(batch.mismatched_columns)) for batch in batches] == [
        ([1, 2, 3], []),
        ([5], ["a"]),
    ]


@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_rejects_malformed_examples(write, block_bytes):
    valid = example(a=[1])
    path = write([valid, valid[1:], valid, valid[:-2], valid])
    found, rejects = rows(path, ["a"], block_bytes=block_bytes)
    assert found == {number: {"a": [1]} for number in (1, 3, 5)}
    assert rejects == [(2, "malformed_example"), (4, "malformed_example")]


def test_file_of_malformed_examples(write):
    assert rows(write([example(a=[1])[:-1], example(a=[1])[:-2]]), ["a"]) == (
        {},
        [(1, "malformed_example"), (2, "malformed_example")],
    )


def test_rejects_strings_that_are_not_utf8(write):
    path = write([example(a=[b"x"]), example(a=[b"y", b"\xff"]), example(a=[b"z"])])
    assert rows(path, ["a"]) == ({1: {"a": ["x"]}, 3: {"a": ["z"]}}, [(2, "invalid_encoding")])


def test_rejects_damaged_records(write):
    path = write([example(a=[i]) for i in range(5)])
    with open(path, "r+b") as file:
        file.seek(16 + len(example(a=[0])) + 13)
        file.write(b"\xff")
    with open(path, "ab") as file:
        file.write(b"rest")
    found, rejects = rows(path, ["a"])
    assert found == {i + 1: {"a": [i]} for i in (0, 2, 3, 4)}
    assert rejects == [(2, "corrupt_record"), (6, "truncated_record")]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        rows(str(tmp_path / "none.tfrecord"), ["a"])
