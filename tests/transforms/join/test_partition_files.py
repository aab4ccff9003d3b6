"""Events divided by key: all events come back, those of a key together, in the order of the files."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.join import partition_files
from transforms.join.key_hash import hash_columns
from transforms.join.partition_files import PartitionWriter, choose_partitions, concatenate, read_pieces

_MASK = 2**64 - 1


def hash_in_python(values):
    total = 0
    for value in values:
        text = sum((byte + 1) * pow(0x9E3779B97F4A7C15, i, 2**64) for i, byte in enumerate(value.encode()))
        total = ((total * 31 + text) * 0xBF58476D1CE4E5B9) & _MASK
        total ^= total >> 31
    return total


def test_hash_equals_plain_python():
    texts = ["", "a", "ab", "ba", "été", "a" * 40, "", "i12345"]
    others = pa.array([str(i) for i in range(len(texts))])
    found = hash_columns([pa.array(texts), others])
    assert found.tolist() == [hash_in_python(pair) for pair in zip(texts, others.to_pylist(), strict=True)]
    sliced = hash_columns([pa.array(texts).slice(2, 3), others.slice(2, 3)])
    assert sliced.tolist() == found[2:5].tolist()
    assert hash_columns([pa.array([], pa.string())]).tolist() == []
    assert hash_columns([pa.array(["", ""])]).tolist() == [0, 0]


def test_hash_spreads_keys():
    numbers = hash_columns([pa.array([f"i{i}" for i in range(64_000)])]) % np.uint64(64)
    counts = np.bincount(numbers.astype(int), minlength=64)
    assert counts.min() > 850
    assert counts.max() < 1150


def events(first, count):
    numbers = np.arange(first, first + count)
    return pa.table({".key0": pa.array([f"k{i % 97}" for i in numbers]), "row": pa.array(numbers)})


def test_events_of_a_key_are_in_one_partition_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(partition_files, "_BUFFER_BYTES", 4_000)
    pieces = []
    for name, first in (("clicks-00000", 0), ("clicks-00001", 1000)):
        writer = PartitionWriter("clicks", str(tmp_path / name), 5)
        for start in range(first, first + 1000, 130):
            writer.write(events(start, min(130, first + 1000 - start)))
        pieces += writer.finish()
    assert len({piece.path for _, piece in pieces}) > 4
    found, seen = [], {}
    for partition in range(5):
        table = read_pieces([piece for number, piece in reversed(pieces) if number == partition])["clicks"]
        rows = table.column("row").to_pylist()
        assert rows == sorted(rows)
        found += rows
        for key in set(table.column(".key0").to_pylist()):
            assert seen.setdefault(key, partition) == partition
    assert sorted(found) == list(range(2000))
    assert len(set(seen.values())) == 5


def test_columns_of_different_types_become_text():
    numbers = pa.table({"a": pa.array([1, None]), "b": pa.array([[1], [2, 3]])})
    texts = pa.table({"a": pa.array(["x"]), "b": pa.array([["y"]])})
    table = concatenate([numbers, texts])
    assert table.column("a").to_pylist() == ["1", None, "x"]
    assert table.column("b").to_pylist() == [["1"], ["2", "3"], ["y"]]


@pytest.mark.parametrize(("size", "partitions"), [(0, 1), (1, 1), (64 << 20, 2), (65 << 20, 3), (1 << 50, 512)])
def test_number_of_partitions(size, partitions):
    assert choose_partitions(size) == partitions
