"""Text files with other delimiters, quotes, encodings and headers than those of plain CSV."""

import gzip

import pytest

from tfmtl import config
from transforms.batches.errors import LogError, MissingColumnError
from transforms.readers.csv_reader import csv_names, read_csv
from transforms.readers.log_format import LogFormat


def rows_of(path, columns, **options):
    batches = list(read_csv(str(path), columns, LogFormat(**options)))
    rejects = [(reject.line, reject.reason) for batch in batches for reject in batch.rejects]
    lines = [line for batch in batches for line in batch.lines.tolist()]
    return [tuple(row.values()) for batch in batches for row in batch.columns.to_pylist()], lines, rejects


@pytest.mark.parametrize(
    ("name", "delimiter"), [("log.tsv", "\t"), ("log.TSV", "\t"), ("log.txt", "\t"), ("log.txt", ","), ("log.csv", ",")]
)
def test_delimiter_by_name(name, delimiter, tmp_path):
    path = tmp_path / name
    path.write_text(f"a{delimiter}b\n1{delimiter}x\n")
    assert rows_of(path, ["b", "a"])[0] == [("x", "1")]
    assert csv_names(str(path)) == (["a", "b"], delimiter)


def test_compressed_tsv(tmp_path):
    path = tmp_path / "log.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n1\t2\n"))
    assert rows_of(path, ["a", "b"])[0] == [("1", "2")]


@pytest.mark.parametrize("delimiter", [";", "|", "\t", "\x01"])
def test_given_delimiter_and_quote(delimiter, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(f"a{delimiter}b\n'1{delimiter}2'{delimiter}\"x\n'it''s\nso'{delimiter}y\n")
    rows, lines, rejects = rows_of(path, ["a", "b"], delimiter=delimiter, quote="'")
    assert rows == [(f"1{delimiter}2", '"x'), ("it's\nso", "y")]
    assert lines == [2, 3]
    assert not rejects


def test_without_quotes(tmp_path):
    path = tmp_path / "log.tsv"
    path.write_text('a\tb\n"x\t1\ny"\t2\n')
    assert rows_of(path, ["a", "b"], quote="")[0] == [('"x', "1"), ('y"', "2")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig", "cp1252", "shift_jis"])
def test_encoding(encoding, tmp_path):
    word = "日本" if encoding == "shift_jis" else "Zürich"
    path = tmp_path / "log.csv"
    path.write_bytes(f"city,n\n{word},1\n".encode(encoding))
    assert rows_of(path, ["city", "n"], encoding=encoding)[0] == [(word, "1")]


def test_an_encoding_that_does_not_fit_raises(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("city\nZürich\n".encode())
    with pytest.raises(LogError, match=r"log.csv: should be ascii, but decoding fails .* Set data.encoding"):
        rows_of(path, ["city"], encoding="ascii")


def test_header_of_a_file_without_one(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("1,x\n2,y\n3\n")
    rows, lines, rejects = rows_of(path, ["b"], header=("a", "b"))
    assert (rows, lines, rejects) == ([("x",), ("y",)], [1, 2], [(3, "wrong_column_count")])


def test_spaces_around_values(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text('a , b, c\n 1,\tx ,  \n 2, "y, z", w\n')
    assert rows_of(path, ["a", "b", "c"], strip=True)[0] == [("1", "x", None), ("2", "y, z", "w")]
    assert rows_of(path, ["a", "b"])[0][0] == (" 1", "\tx ")


def test_byte_order_marks_of_joined_files(tmp_path):
    path = tmp_path / "log.csv"
    mark = "\ufeff"
    path.write_text(f"{mark}user,n\na,1\n{mark}b,2\n{mark}{mark[:0]}c{mark},3\n")
    for block_bytes in (1, 5, 1 << 20):
        batches = list(read_csv(str(path), ["user"], block_bytes=block_bytes))
        assert [user for batch in batches for user in batch.column("user").to_pylist()] == ["a", "b", f"c{mark}"]


def test_a_wrong_delimiter_is_named(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user;item\na;b\n")
    with pytest.raises(MissingColumnError, match=r"The line has semicolons: set data.delimiter to ';'"):
        rows_of(path, ["user", "item"])


def test_a_column_that_is_not_read_may_occur_twice(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("x,user,x,\n1,a,2,\n")
    assert rows_of(path, ["user"])[0] == [("a",)]
    with pytest.raises(LogError, match=r"should name each column once\. Received twice: x"):
        rows_of(path, ["x"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "::"}, "delimiter: should be one ASCII character"),
        ({"quote": '""'}, "quote: should be one ASCII character"),
        ({"delimiter": ";", "quote": ";"}, "quote: should be other than the delimiter"),
        ({"encoding": "utf-9"}, "encoding: should be an encoding that Python knows"),
        ({"header": ("a", "b", "a")}, r"header\[2\]: should be a name that no earlier column has"),
        ({"reader": "json"}, "reader: should be one of auto, csv"),
    ],
)
def test_rejects_wrong_formats(options, message):
    with pytest.raises(ValueError, match=message):
        LogFormat(**options)


def test_null_values_may_be_written_without_quotes():
    document = config.parse_yaml("{null: [NULL, -1, '?']}")
    assert config.build(LogFormat, document).null == ("NULL", "null", "Null", "-1", "?")
