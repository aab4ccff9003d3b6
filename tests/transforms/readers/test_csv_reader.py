"""Reader of CSV: values, line numbers and rejects of rows."""

import csv
import gzip
import io
import random

import pytest

from transforms.batches.errors import MissingColumnError
from transforms.batches.reasons import INVALID_ENCODING, WRONG_COLUMN_COUNT
from transforms.readers.csv_reader import read_csv


def read(path, columns, **options):
    """Returns the rows with their lines, and the rejects as (line, reason, text)."""
    rows, rejects = [], []
    for batch in read_csv(str(path), columns, **options):
        assert batch.source == str(path)
        values = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
        rows += zip(batch.lines.tolist(), values, strict=True)
        rejects += [(reject.line, reject.reason, reject.text) for reject in batch.rejects]
    return rows, rejects


IRREGULAR = (
    b"\xef\xbb\xbfa,b,c\r\n"  # 1: byte order mark, \r\n
    b"1,2,3\r\n"  # 2
    b"\r\n"  # 3: blank
    b"1,2\r\n"  # 4: too short
    b'"x\ny",5,6\n'  # 5, 6: a line break in a value
    b"7,8,9,10\n"  # 7: too long
    b'"say ""hi""",,NULL\n'  # 8: doubled quotes, a missing value, and a string that looks like one
    b'"open,1,2\n'  # 9: a quote that is never closed
    b"\xff,1,2\n"  # 10: not UTF-8
    b'5" disk,1,2\n'  # 11: a quote within an unquoted value
    b'"1","",""\n'  # 12: quoted values, two of them empty
    b"\xc3\xa9,1,2"  # 13: UTF-8, no line break at the end
)


@pytest.mark.parametrize("block_bytes", [1, 2, 7, 30, 1 << 20])
def test_irregular_file(tmp_path, block_bytes):
    path = tmp_path / "irregular.csv"
    path.write_bytes(IRREGULAR)
    rows, rejects = read(path, ["c", "a"], block_bytes=block_bytes)
    assert rows == [
        (2, ("3", "1")),
        (5, ("6", "x\ny")),
        (8, ("NULL", 'say "hi"')),
        (11, ("2", '5" disk')),
        (12, (None, "1")),
        (13, ("2", "é")),
    ]
    assert rejects == [
        (4, WRONG_COLUMN_COUNT, "1,2"),
        (7, WRONG_COLUMN_COUNT, "7,8,9,10"),
        (9, WRONG_COLUMN_COUNT, '"open,1,2'),
        (10, INVALID_ENCODING, "\\xff,1,2"),
    ]


def test_reject_gives_expected_and_received_count(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("a,b,c\n1,2\n")
    (batch,) = read_csv(str(path), ["a"])
    assert batch.rejects[0].detail == "should have 3 values. Received: 2"


@pytest.mark.parametrize("block_bytes", [64, 1000, 1 << 20])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_reads_random_files_of_the_csv_module(tmp_path, block_bytes, quoting):
    generator = random.Random(block_bytes + quoting)
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator="\n")
    writer.writerow(["a", "b"])
    expected, rejected, line = [], [], 2
    for _ in range(500):
        values = ["".join(generator.choices('xy,"\n é', k=generator.randrange(4))) for _ in range(2)]
        kind = generator.random()
        if kind < 0.1:
            writer.writerow(["only", "two", "three"])
            rejected.append(line)
            line += 1
        elif kind < 0.2:
            text.write("\n")
            line += 1
        else:
            writer.writerow(values)
            expected.append((line, tuple(value or None for value in values)))
            line += 1 + sum(value.count("\n") for value in values)
    path = tmp_path / "random.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    rows, rejects = read(path, ["a", "b"], block_bytes=block_bytes)
    assert rows == expected
    assert [line for line, _, _ in rejects] == rejected


def test_open_quote_rejects_one_line(tmp_path):
    path = tmp_path / "open.csv"
    path.write_text("a,b\n" + '"open,1\n' + "".join(f"{i},2\n" for i in range(1000)))
    rows, rejects = read(path, ["a"], block_bytes=512)
    assert rows == [(i + 3, (str(i),)) for i in range(1000)]
    assert rejects == [(2, WRONG_COLUMN_COUNT, '"open,1')]


def test_line_that_is_not_utf8_ends_an_open_quote(tmp_path):
    path = tmp_path / "both.csv"
    path.write_bytes(b'a,b\n"x\n\xff",1\n3,4\n')
    rows, rejects = read(path, ["a"])
    assert rows == [(4, ("3",))]
    assert rejects == [(2, WRONG_COLUMN_COUNT, '"x'), (3, INVALID_ENCODING, '\\xff",1')]


def test_reads_only_requested_columns(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("a,b,c\n1,2,3\n")
    (batch,) = read_csv(str(path), ["c"])
    assert batch.columns.column_names == ["c"]


def test_reads_compressed_files(tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    assert read(path, ["a"])[0] == [(2, ("1",)), (3, ("2",))]


def test_error_names_a_truncated_compressed_file(tmp_path):
    path = tmp_path / "truncated.csv.gz"
    rows = "".join(f"{i},{hash(i) % 997}\n" for i in range(50_000))
    path.write_bytes(gzip.compress(f"a,b\n{rows}".encode())[:-400])
    expected = r"truncated.csv.gz: should be a complete file, but reading fails at line [\d,]+ or later. Received: "
    with pytest.raises(ValueError, match=expected):
        list(read_csv(str(path), ["a"], block_bytes=1000))


def test_file_with_a_header_only(tmp_path):
    path = tmp_path / "header.csv"
    path.write_text("a,b\n")
    assert list(read_csv(str(path), ["a"])) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "header, the first line, should be the names of the columns. Received: an empty file"),
        (b"\n1,2\n", "should be the names of the columns. Received: ''"),
        (b"\xff\xfea,b\n1,2\n", "should be UTF-8"),
        (b'"a,b\n1,2\n', "should be a row of CSV"),
        (b"a,a,b\n1,2,3\n", "should name each column once. Received twice: a"),
    ],
)
def test_rejects_an_invalid_header(tmp_path, content, message):
    path = tmp_path / "invalid.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        list(read_csv(str(path), ["a", "b"]))
    assert str(path) in str(error.value)


def test_error_names_missing_columns(tmp_path):
    path = tmp_path / "headless.csv"
    path.write_text("1,2,3\n4,5,6\n")
    with pytest.raises(MissingColumnError, match=r"should have the columns a, b. Received: 1, 2, 3"):
        list(read_csv(str(path), ["a", "b"]))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_csv(str(tmp_path / "none.csv"), ["a"]))
