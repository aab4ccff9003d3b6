"""Output of rejected rows and of the row counts: CSV, JSON lines and plain text."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, TextIO

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import SPLITS, Reject
from transforms.batches.reasons import REASONS
from transforms.batches.report import IngestReport

_SHOWN_FILES = 20
"""Number of files whose counts are shown; the report has the counts of all files."""


def format_csv_rows(columns: pa.Table, rows: np.ndarray) -> list[str]:
    """Formats rows of a table as lines of CSV; null is an empty value, and a list is written as JSON.

    Args:
        columns: Table of any types.
        rows: Indices of the rows, int64, shape `(rows,)`.

    Returns:
        One line for each of `rows`, without line break.
    """
    taken = columns.take(pa.array(rows, pa.int64()))
    return [_format_line(values) for values in zip(*(column.to_pylist() for column in taken.columns), strict=True)]


def _format_line(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(map(_format_value, values))
    return text.getvalue()


def _format_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, default=_format_value)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def write_rejects(rejects: Iterable[Reject], stream: TextIO) -> int:
    """Writes each reject as a line of JSON with the keys source, line, reason, detail and text.

    Args:
        rejects: Rejected rows.
        stream: Text stream that is written to.

    Returns:
        The number of rejects.
    """
    count = 0
    for reject in rejects:
        stream.write(reject.to_json() + "\n")
        count += 1
    return count


def format_report(report: IngestReport) -> str:
    """Formats a report as plain text.

    The text lists the rows by split, the rejected rows by reason, most frequent first, and the files, those with the
    most rejected rows first.

    Args:
        report: Row counts by file.

    Returns:
        Aligned lines, without a line break at the end.
    """
    total = report.total
    rows = [("read", total.read, "")]
    rows += [(f"  {split}", total.accepted.get(split, 0), "") for split in SPLITS]
    rows += [("left out", total.left_out, "by the sampling of negatives")] if total.left_out else []
    rows += [("rejected", sum(total.rejected.values()), "")]
    by_count = sorted(total.rejected.items(), key=lambda item: (-item[1], item[0]))
    rows += [(f"  {reason}", count, REASONS.get(reason, "")) for reason, count in by_count]
    if len(report.sources) > 1:
        rows += _file_rows(report)
    width = max(len(name) for name, _, _ in rows)
    lines = [
        f"{name:<{width}}  {count:>14,}  {_percentage(count, total.read):>7}  {note}" for name, count, note in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _file_rows(report: IngestReport) -> list[tuple[str, int, str]]:
    """Rows of the first files; the file's name stands last, because it may be long."""
    counts = [(sum(source.rejected.values()), name, source.read) for name, source in report.sources.items()]
    counts.sort(key=lambda file: (-file[0], file[1]))
    shown, others = counts[:_SHOWN_FILES], counts[_SHOWN_FILES:]
    rows = [("file", read, name + (f": {rejected:,} rejected" if rejected else "")) for rejected, name, read in shown]
    if others:
        rows.append(("others", sum(read for _, _, read in others), f"{len(others):,} files"))
    return rows


def _percentage(count: int, read: int) -> str:
    return f"{count / read:.2%}" if read else ""
