"""Sums and output of ingest reports, and output of rejects."""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pytest

from transforms.batches.raw_batch import Reject
from transforms.batches.reasons import REASONS, RENAMED_REASONS
from transforms.batches.rejects import format_csv_rows, format_report, write_rejects
from transforms.batches.report import IngestReport, SourceReport

FIRST = SourceReport(5, {"train": 3, "test": 1}, {"wrong_column_count": 1})
SECOND = SourceReport(4, {"train": 1}, {"wrong_column_count": 1, "invalid_time": 2})
SUM = SourceReport(9, {"test": 1, "train": 4}, {"invalid_time": 2, "wrong_column_count": 2})


@pytest.mark.parametrize("read", [4, 6])
def test_rejects_counts_that_do_not_add_up(read):
    with pytest.raises(ValueError, match=f"read should be 5, the accepted plus the rejected rows. Received: {read}"):
        SourceReport(read, FIRST.accepted, FIRST.rejected)


def test_merge_adds_counts_of_common_files():
    left, right = IngestReport({"a": FIRST, "b": SECOND}), IngestReport({"a": SECOND, "c": FIRST})
    merged = left.merge(right)
    assert merged.sources == {"a": SUM, "b": SECOND, "c": FIRST}
    assert merged.total == SourceReport(18, {"test": 2, "train": 8}, {"invalid_time": 4, "wrong_column_count": 4})
    assert right.merge(left) == merged
    assert left.merge(IngestReport()) == left


def test_report_without_files():
    assert IngestReport().to_dict() == {"read": 0, "accepted": {}, "rejected": {}, "sources": {}}


def test_report_round_trip():
    report = IngestReport({"a": FIRST, "b": SECOND})
    data = json.loads(json.dumps(report.to_dict()))
    assert data["read"] == 9
    assert IngestReport.from_dict(data) == report


def test_from_dict_rejects_counts_that_do_not_add_up():
    data = IngestReport({"a": FIRST}).to_dict()
    with pytest.raises(ValueError, match="report should add up to"):
        IngestReport.from_dict({**data, "read": 6})
    data["sources"]["a"]["accepted"]["train"] += 1
    with pytest.raises(ValueError, match="read should be 6"):
        IngestReport.from_dict(data)


def test_from_dict_translates_former_reasons():
    rejected = {reason: count for count, reason in enumerate(RENAMED_REASONS, 1)}
    total = {"read": sum(rejected.values()) + 2, "accepted": {"train": 2}, "rejected": rejected}
    report = IngestReport.from_dict({**total, "sources": {"a.csv": total}})
    assert report.total.rejected == {RENAMED_REASONS[reason]: count for reason, count in rejected.items()}
    assert report.sources["a.csv"] == report.total
    assert set(report.total.rejected) <= set(REASONS)
    assert IngestReport.from_dict(report.to_dict()) == report


def test_from_dict_adds_former_and_present_name_of_a_reason():
    rejected = {"cut_line": 2, "wrong_column_count": 3, "missing_label": 1}
    total = {"read": 6, "accepted": {}, "rejected": rejected}
    report = IngestReport.from_dict({**total, "sources": {"a.csv": total}})
    assert report.total.rejected == {"wrong_column_count": 5, "missing_label": 1}


def test_former_reasons_are_not_reused():
    assert not set(RENAMED_REASONS) & set(REASONS)
    assert set(RENAMED_REASONS.values()) <= set(REASONS)


def test_rejects_are_written_as_lines_of_json():
    rejects = [
        Reject("a.csv", 2, "wrong_column_count", "should have 2 values. Received: 1", "é\n"),
        Reject("b.csv", 3, "x", "y", ""),
    ]
    text = io.StringIO()
    assert write_rejects(iter(rejects), text) == 2
    assert [Reject(**json.loads(line)) for line in text.getvalue().splitlines()] == rejects


def test_format_report():
    lines = format_report(IngestReport({"a.csv": FIRST, "b.csv": SECOND})).splitlines()
    words = [line.split() for line in lines]
    assert ["read", "9", "100.00%"] in words
    assert ["train", "4", "44.44%"] in words
    assert ["rejected", "4", "44.44%"] in words
    assert "  wrong_column_count" in "\n".join(lines)
    assert REASONS["wrong_column_count"] in "\n".join(lines)
    assert ["file", "4", "44.44%", "b.csv:", "3", "rejected"] in words


def test_format_report_limits_files_and_aligns_long_names():
    bad = {
        f"/{'long/' * 40}{i}.csv": SourceReport(9, {"train": 9 - i}, {"wrong_column_count": i}) for i in range(1, 10)
    }
    good = {f"{i}.csv": SourceReport(2, {"train": 2}, {}) for i in range(30)}
    lines = format_report(IngestReport({**good, **bad})).splitlines()
    assert all(len(line) < 100 for line in lines if "long" not in line)
    files = [line.split() for line in lines if line.startswith("file")]
    assert [file[4] for file in files[:9]] == [*map(str, range(9, 0, -1))]
    assert len(files) == 20
    assert lines[-1].split() == ["others", "38", "26.95%", "19", "files"]


def test_format_report_sorts_reasons_by_count():
    rejected = {"invalid_id": 2, "invalid_time": 1, "wrong_column_count": 5, "invalid_weights": 2}
    lines = format_report(IngestReport({"a.csv": SourceReport(10, {}, rejected)})).splitlines()
    reasons = [line.split()[0] for line in lines if line.split()[0] in rejected]
    assert reasons == ["wrong_column_count", "invalid_id", "invalid_weights", "invalid_time"]


def test_format_csv_rows_writes_one_line_per_row():
    columns = pa.table(
        {
            "text": pa.array(['a "b", c', None, "x"]),
            "bytes": pa.array([b"\xffo", None, b"y"], pa.binary()),
            "list": pa.array([[1, None], None, []], pa.list_(pa.int64())),
            "bytes_list": pa.array([[b"\xc3\xa9", b"\xe9"], None, []], pa.list_(pa.binary())),
        }
    )
    rows = [next(csv.reader([line])) for line in format_csv_rows(columns, np.array([2, 0, 1]))]
    assert rows[0] == ["x", "y", "[]", "[]"]
    assert rows[1] == ['a "b", c', "\\xffo", "[1, null]", '["é", "\\\\xe9"]']
    assert rows[2] == ["", "", "", ""]
