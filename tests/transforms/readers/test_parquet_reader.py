"""Reader of Parquet: row numbers, columns, types and damaged files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.batches.errors import MissingColumnError
from transforms.readers.parquet_reader import read_parquet


def write(path, table, **options):
    pq.write_table(table, path, **options)
    return str(path)


@pytest.fixture
def numbers(tmp_path):
    """Path of a file of 1000 rows in groups of 300."""
    table = pa.table({"a": range(1000), "b": [str(i) for i in range(1000)], "c": [[i] for i in range(1000)]})
    return write(tmp_path / "log.parquet", table, row_group_size=300)


@pytest.mark.parametrize("batch_rows", [7, 300, 4096])
def test_line_numbers_are_row_numbers(numbers, batch_rows):
    rows = []
    for batch in read_parquet(numbers, ["c", "a"], batch_rows=batch_rows):
        assert batch.columns.column_names == ["c", "a"]
        assert batch.source == numbers
        assert 0 < len(batch.lines) <= batch_rows
        rows += zip(batch.lines.tolist(), batch.column("a").to_pylist(), batch.column("c").to_pylist(), strict=True)
    assert rows == [(i + 1, i, [i]) for i in range(1000)]


def test_reads_only_needed_columns_and_pages(tmp_path):
    """The file has 6 MB in one row group; a narrow column and the first rows of a wide one are read."""
    wide = [bytes([i % 251]) * 999 + str(i).encode() for i in range(6000)]
    table = pa.table({"wide": pa.array(wide, pa.binary()), "narrow": range(6000)})
    path = write(tmp_path / "log.parquet", table, compression="none", use_dictionary=False, data_page_size=1 << 15)
    before = pa.total_allocated_bytes()
    assert sum(len(batch.lines) for batch in read_parquet(path, ["narrow"])) == 6000
    rows = read_parquet(path, ["wide"], batch_rows=100)
    next(rows)
    assert pa.total_allocated_bytes() - before < 3 << 20
    rows.close()


def test_converts_types(tmp_path):
    strings = ["a", "", None, "ü"]
    table = pa.table(
        {
            "strings": strings,
            "bytes": pa.array([value and value.encode() for value in strings], pa.binary()),
            "large": pa.array(strings, pa.large_string()),
            "dictionary": pa.array(strings).dictionary_encode(),
            "nulls": pa.nulls(4),
            "lists": pa.array([["a", ""], [], None, [None]], pa.large_list(pa.large_string())),
            "dictionaries": pa.array([["a", "b"], None, ["a"], []], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
            "pairs": pa.array([[1, 2], [0, 0], [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
        }
    )
    path = write(tmp_path / "log.parquet", table)
    (batch,) = read_parquet(path, table.column_names)
    expected = ["a", None, None, "ü"]
    assert batch.columns.to_pydict() == {
        "strings": expected,
        "bytes": expected,
        "large": expected,
        "dictionary": expected,
        "nulls": [None] * 4,
        "lists": [["a", ""], None, None, [None]],
        "dictionaries": [["a", "b"], None, ["a"], None],
        "pairs": [[1, 2], [0, 0], [3, 4], [5, 6]],
    }
    types = {str(field.type) for field in batch.columns.schema}
    assert types == {"string", "list<item: string>", "list<item: int32>"}


def test_rejects_strings_that_are_not_utf8(tmp_path):
    table = pa.table(
        {
            "a": pa.array([b"x", b"\xff,", b"y", b"z"], pa.binary()),
            "b": pa.array([[b"x"], [b"y"], None, [b"ok", b"\xfe"]], pa.list_(pa.binary())),
        }
    )
    (batch,) = read_parquet(write(tmp_path / "log.parquet", table), ["a", "b"])
    assert batch.lines.tolist() == [1, 3]
    assert batch.columns.to_pydict() == {"a": ["x", "y"], "b": [["x"], None]}
    assert [(reject.line, reject.reason, reject.text) for reject in batch.rejects] == [
        (2, "invalid_encoding", '"\\xff,","[""y""]"'),
        (4, "invalid_encoding", 'z,"[""ok"", ""\\\\xfe""]"'),
    ]


def test_rejects_files_that_are_not_parquet(tmp_path, numbers):
    with open(numbers, "rb") as file:
        data = file.read()
    truncated = tmp_path / "truncated.parquet"
    truncated.write_bytes(data[:-100])
    for path in (str(truncated), __file__):
        with pytest.raises(ValueError, match=f"{path}: should be a complete Parquet file. Received: "):
            list(read_parquet(path, ["a"]))
    with pytest.raises(FileNotFoundError):
        list(read_parquet(str(tmp_path / "none.parquet"), ["a"]))


def test_error_gives_the_row_before_damage(tmp_path):
    table = pa.table({"a": [str(i) * 9 for i in range(3000)]})
    path = write(tmp_path / "log.parquet", table, row_group_size=1000, compression="snappy", use_dictionary=False)
    position = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(b"\xff" * 500)
    rows = read_parquet(path, ["a"], batch_rows=1000)
    assert len(next(rows).lines) == 1000
    with pytest.raises(ValueError, match=r"should be a complete Parquet file, but reading fails after row 1,000"):
        next(rows)


def test_rejects_missing_and_repeated_columns(tmp_path):
    with pytest.raises(MissingColumnError, match=r"should have the column z. Received: a, b"):
        list(read_parquet(write(tmp_path / "one.parquet", pa.table({"a": [1], "b": [2]})), ["a", "z"]))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ValueError, match=r"should name each column once. Received twice: a"):
        list(read_parquet(write(tmp_path / "two.parquet", twice), ["a"]))
