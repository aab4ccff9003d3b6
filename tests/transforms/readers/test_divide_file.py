"""Ranges of a file: rows, line numbers and rejected rows are those of the file read as a whole."""

import codecs
import gzip
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.batches.errors import LogError
from transforms.readers.divide_file import (
    MIN_RANGE_BYTES,
    choose_range_bytes,
    count_range_lines,
    divide,
    indivisible_reason,
    with_first_lines,
)
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read

COLUMNS = ("id", "text", "n")


def plain_line(draw, i):
    return f"{i},{draw.choice(['Rome', 'Zürich', '', 'a b'])},{draw.randrange(100)}".encode()


def quoted_line(draw, i):
    """A line with quotes: regular ones, with a delimiter, a quote or line breaks in the value, or broken."""
    value = draw.choice(
        [
            '"a,b"',
            '"say ""hi"""',
            '"two\nlines"',
            '"one\n\n\nfour"',
            '"x',
            'x"y',
            '"',
            '"' + "\n".join("abcdefghij") + '"',
        ]
    )
    return f"{i},{value},{draw.randrange(100)}".encode()


def invalid_line(draw, i):
    return draw.choice([f"{i},too,many,values".encode(), f"{i}".encode(), b"%d,\xff\xfe,1" % i, b"", b"   "])


def log(draw, rows, quoted=0.0, invalid=0.01, line_break=b"\n", last_break=True, header=b"id,text,n", marks=0.0):
    lines = [header] if header else []
    for i in range(rows):
        kind = draw.random()
        line = quoted_line if kind < quoted else invalid_line if kind < quoted + invalid else plain_line
        mark = codecs.BOM_UTF8 if draw.random() < marks else b""
        lines.append(mark + line(draw, i).replace(b"\n", line_break))
    return line_break.join(lines) + (line_break if last_break else b"")


CASES = {
    "plain": {},
    "no line break at the end": {"last_break": False},
    "CRLF": {"line_break": b"\r\n"},
    "CR": {"line_break": b"\r"},
    "few quotes": {"quoted": 0.003},
    "quotes with CRLF": {"quoted": 0.003, "line_break": b"\r\n"},
    "quotes with CR": {"quoted": 0.003, "line_break": b"\r"},
    "quotes almost everywhere": {"quoted": 0.5},
    "byte order marks": {"marks": 0.01, "quoted": 0.002},
    "no header": {"header": b""},
}


def read_all(path, log_format, ranges):
    """Rows with their lines, and rejected rows, of all ranges."""
    rows, rejects = [], []
    for part in ranges:
        for batch in read(str(path), COLUMNS, log_format, part=part):
            rows += zip(
                batch.lines.tolist(), *(batch.columns.column(name).to_pylist() for name in COLUMNS), strict=True
            )
            rejects += batch.rejects
    return rows, rejects


def numbered(path, log_format, range_bytes):
    parts = divide(str(path), log_format, range_bytes)
    return parts, list(with_first_lines((part, count_range_lines(part, log_format)) for part in reversed(parts)))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [7, 64])
def test_rows_do_not_depend_on_the_number_of_ranges(tmp_path, case, count):
    options, path = CASES[case], tmp_path / "log.csv"
    log_format = LogFormat(header=COLUMNS if options.get("header") == b"" else ())
    for seed in range(2):
        path.write_bytes(log(random.Random(f"{case}{seed}"), 20_000, **options))
        whole = read_all(path, log_format, [None])
        assert len(whole[0]) > 3_000
        assert whole[1]
        parts, ranges = numbered(path, log_format, path.stat().st_size // count)
        found = read_all(path, log_format, ranges)
        assert found == whole
        assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
        if not options.get("quoted"):
            assert len(parts) == count
            sizes = [part.end - part.start for part in parts[:-1]]
            assert max(sizes) < 2.5 * path.stat().st_size / count


def test_a_quoted_line_break_is_never_divided(tmp_path):
    """A range that began within the quoted value would read rows that the file does not have."""
    path = tmp_path / "log.csv"
    value = "\n".join(f"{i},inside,{i}" for i in range(90))
    row = f'7,"{value}",1\n'
    path.write_text("id,text,n\n" + "1,a,2\n" * 2_000 + row * 30 + "1,a,2\n" * 2_000)
    whole = read_all(path, LogFormat(), [None])
    assert len(whole[0]) == 4_030
    for count in range(2, 20):
        _, ranges = numbered(path, LogFormat(), path.stat().st_size // count)
        assert read_all(path, LogFormat(), ranges) == whole


def test_quotes_are_ordinary_characters_without_a_quote_character(tmp_path):
    path, log_format = tmp_path / "log.csv", LogFormat(quote="")
    path.write_text("id,text,n\n" + '1,"a,2\n' * 5_000)
    _, ranges = numbered(path, log_format, 1_000)
    assert len(ranges) == path.stat().st_size // 1_000
    assert read_all(path, log_format, ranges) == read_all(path, log_format, [None])


@pytest.mark.parametrize("count", [7, 64])
def test_row_groups_of_parquet(tmp_path, count):
    path = tmp_path / "log.parquet"
    rows = 6_400
    table = pa.table(
        {"id": range(rows), "text": [f"t{i % 7}" for i in range(rows)], "n": [i % 11 for i in range(rows)]}
    )
    pq.write_table(table, path, row_group_size=100)
    parts = divide(str(path), LogFormat(), path.stat().st_size // count)
    assert len(parts) == count
    ranges = list(with_first_lines((part, count_range_lines(part, LogFormat())) for part in parts))
    found = read_all(path, LogFormat(), ranges)
    assert found == read_all(path, LogFormat(), [None])
    assert [row[0] for row in found[0]] == list(range(1, rows + 1))


def test_a_small_file_is_one_range(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("id,text,n\n" + "1,a,2\n" * 500)
    (part,) = divide(str(path), LogFormat(), path.stat().st_size // 2 + 1)
    assert part.is_whole
    assert count_range_lines(part, LogFormat()) == 0


def test_what_cannot_be_divided_is_one_range(tmp_path):
    text = b"id,text,n\n" + b"1,a,2\n" * 5_000
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "log.csv").write_bytes(text.decode().encode("utf-16"))
    for name, log_format, reason in (
        ("log.csv.gz", LogFormat(), "compressed text"),
        ("log.csv", LogFormat(encoding="utf-16"), "text in utf-16"),
        ("log.tfrecord", LogFormat(), "a file of the format tfrecord"),
    ):
        assert indivisible_reason(str(tmp_path / name), log_format) == reason
        assert [part.is_whole for part in divide(str(tmp_path / name), log_format, 100)] == [True]
    assert indivisible_reason("log.csv", LogFormat()) == indivisible_reason("log.parquet", LogFormat()) == ""


def test_sizes_of_ranges_follow_from_the_size_of_the_log():
    assert choose_range_bytes(0) == choose_range_bytes(MIN_RANGE_BYTES * 256) == MIN_RANGE_BYTES
    assert choose_range_bytes(MIN_RANGE_BYTES * 256 + 1) == MIN_RANGE_BYTES + 1


def test_a_broken_file_names_itself(tmp_path):
    path = tmp_path / "log.parquet"
    path.write_bytes(b"PAR1" * 100)
    with pytest.raises(LogError, match="should be a complete Parquet file"):
        divide(str(path), LogFormat(), 10)
