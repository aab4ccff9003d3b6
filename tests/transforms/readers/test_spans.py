"""Span patterns: spans and their newest versions."""

import datetime

import pytest
from pyarrow import fs

from transforms.readers.spans import SpanPattern, has_spans
from transforms.storage import files
from transforms.storage.files import find_files


@pytest.fixture
def make(tmp_path):
    def touch(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return str(tmp_path)

    return touch


def days(*dates):
    return [(datetime.date.fromisoformat(date) - datetime.date(1970, 1, 1)).days for date in dates]


@pytest.mark.parametrize(
    ("pattern", "files", "spans"),
    [
        ("day-{SPAN}/*.csv", ["day-2/a.csv", "day-10/b.csv", "day-10/c.csv", "day-x/d.csv", "day-3/e.txt"], [2, 10]),
        ("{SPAN:3}.parquet", ["007.parquet", "012.parquet", "12.parquet", "0123.parquet"], [7, 12]),
        ("**/log.{SPAN}.*", ["log.1.csv", "a/log.2.csv", "a/b/log.3.csv"], [1, 2, 3]),
        ("h[a-b]-{SPAN}[!w]?/*", ["ha-1xx/f", "hb-2yy/f", "hc-3zz/f", "ha-4/f", "hb-5wx/f"], [1, 2]),
        (
            "{YYYY}-{MM}-{DD}/part-*",
            ["2026-11-18/part-0", "2024-02-29/part-1", "2026-11-xx/part-2"],
            days("2024-02-29", "2026-11-18"),
        ),
        ("y={YYYY}/m={MM}/d={DD}.csv", ["y=2026/m=01/d=09.csv", "y=2026/m=1/d=10.csv"], days("2026-01-09")),
    ],
)
def test_finds_spans(make, pattern, files, spans):
    folder = make(*files)
    pattern = SpanPattern(pattern)
    assert pattern.find(folder) == dict.fromkeys(spans)
    assert list(pattern.find(folder)) == spans
    paths = [path for span in spans for path in find_files(f"{folder}/{pattern.span_files(span)}")]
    assert len(paths) == len(set(paths)) >= len(spans)
    assert [pattern.find(folder, span) for span in spans] == [{span: None} for span in spans]


def test_finds_newest_version(make):
    folder = make("1/v-9/a", "1/v-10/a", "2/v-1/a")
    pattern = SpanPattern("{SPAN}/v-{VERSION}/*")
    assert pattern.find(folder) == {1: 10, 2: 1}
    assert pattern.span_files(1, 10) == "1/v-10/*"
    assert pattern.find(folder, 1) == {1: 10}
    assert pattern.find(folder, 3) == {}
    assert SpanPattern("{YYYY}{MM}{DD}-{VERSION:2}").span_files(days("2026-03-04")[0], 7) == "20260304-07"


def test_one_span_is_found_without_listing_others(make, monkeypatch):
    folder = make(*(f"{span}/{part}.csv" for span in range(30) for part in range(3)))
    listed, list_files = [], fs.LocalFileSystem.get_file_info

    class Counting(fs.LocalFileSystem):
        def get_file_info(self, selector):
            listed.append(selector)
            return list_files(self, selector)

    monkeypatch.setattr(files, "resolve", lambda path: (Counting(), path))
    assert SpanPattern("{SPAN}/*.csv").find(folder, 7) == {7: None}
    assert len(listed) < 8


def test_names_of_spans():
    assert SpanPattern("{SPAN:4}").name(7) == "7"
    assert SpanPattern("{YYYY}/{MM}/{DD}").name(days("2026-11-18")[0]) == "2026-11-18"


def test_finds_no_spans_without_files(make):
    assert SpanPattern("day-{SPAN}").find(make("other")) == {}
    assert SpanPattern("day-{SPAN}").find(make("other") + "/nothing") == {}


@pytest.mark.parametrize(
    ("pattern", "name", "message"),
    [
        ("day-{SPAN}/*", "day-07/a", r"day-07/a: should have no leading zeros, or a width .* \{SPAN:2\}. Received: 07"),
        ("{SPAN}/{VERSION}", "1/01", r"1/01: should have no leading zeros, .* \{VERSION:2\}. Received: 01"),
        ("{YYYY}-{MM}-{DD}", "2026-02-30", r"2026-02-30: should contain a valid date. Received: day is out of range"),
    ],
)
def test_rejects_invalid_file_names(make, pattern, name, message):
    with pytest.raises(ValueError, match=message):
        SpanPattern(pattern).find(make(name))


@pytest.mark.parametrize("pattern", ["*", "{SPAN}/{SPAN}", "{YYYY}-{MM}", "{SPAN}-{YYYY}{MM}{DD}", "{VERSION}"])
def test_rejects_incompatible_placeholders(pattern):
    with pytest.raises(ValueError, match=r"should have one \{SPAN\}, or one \{YYYY\}, \{MM\} and \{DD\} each"):
        SpanPattern(pattern)


def test_has_spans():
    assert has_spans("a/{SPAN:2}")
    assert has_spans("{YYYY}")
    assert not has_spans("a/*.csv")
