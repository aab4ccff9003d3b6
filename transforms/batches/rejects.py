"""Writing down rejected rows, and the count of all rows for people."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, TextIO

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import REASONS, SPLITS, Reject
from transforms.batches.report import IngestReport

_FILES = 20
"""How many files' counts a person is shown; the report has them all."""


def as_csv(columns: pa.Table, rows: np.ndarray) -> list[str]:
    """Each of the `rows` as a line of CSV, null as an empty cell and a list as JSON."""
    taken = columns.take(pa.array(rows, pa.int64()))
    return [_line(cells) for cells in zip(*(column.to_pylist() for column in taken.columns), strict=True)]


def _line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(map(_text, cells))
    return text.getvalue()


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list):
        return json.dumps(cell, ensure_ascii=False, default=_text)
    return cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else str(cell)


def write_rejects(rejects: Iterable[Reject], stream: TextIO) -> int:
    """Writes each reject as a line of JSON (source, line, reason, detail, text) and returns how many there were."""
    count = 0
    for reject in rejects:
        stream.write(reject.to_json() + "\n")
        count += 1
    return count


def format_report(report: IngestReport) -> str:
    """The report as plain text for a person: rows by split, rejected rows by reason, then files, the worst first."""
    total = report.total
    rows = [("read", total.read, "")]
    rows += [(f"  {split}", total.accepted.get(split, 0), "") for split in SPLITS]
    rows += [("rejected", sum(total.rejected.values()), "")]
    by_count = sorted(total.rejected.items(), key=lambda item: (-item[1], item[0]))
    rows += [(f"  {reason}", count, REASONS.get(reason, "")) for reason, count in by_count]
    if len(report.sources) > 1:
        rows += _of_files(report)
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:<{width}}  {count:>14,}  {_share(count, total.read):>7}  {note}" for name, count, note in rows]
    return "\n".join(line.rstrip() for line in lines)


def _of_files(report: IngestReport) -> list[tuple[str, int, str]]:
    """Rows of some files: a name may be as long as a line, so it stands last."""
    counts = [(sum(source.rejected.values()), name, source.read) for name, source in report.sources.items()]
    counts.sort(key=lambda file: (-file[0], file[1]))
    rows = [("file", read, name + (f": {bad:,} rejected" if bad else "")) for bad, name, read in counts[:_FILES]]
    rest = counts[_FILES:]
    return rows + ([("others", sum(read for _, _, read in rest), f"{len(rest):,} files")] if rest else [])


def _share(count: int, read: int) -> str:
    return f"{count / read:.2%}" if read else ""
