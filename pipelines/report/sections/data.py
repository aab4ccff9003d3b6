"""Section of the log: rows, columns, and the change since the last accepted log."""

from collections.abc import Mapping

from pipelines.data_checks.column_statistics import BYTES, ColumnStatistics, columns_of
from pipelines.report.figures.data import change_figure
from pipelines.report.page.blocks import NO_VALUE, Block, Cell, Figure, Section, Text, number, table
from pipelines.report.run_data import RunData
from transforms.batches.raw_batch import SPLITS
from transforms.batches.reasons import REASONS
from transforms.batches.report import SourceReport
from transforms.ingest.hash_collisions import describe_hashes

_FIGURES, _VALUES = 4, 10


def data_section(data: RunData) -> Section | None:
    """Returns the numbers of rows, the findings of the data checks, the columns, and their change.

    Args:
        data: The run.
    """
    blocks: list[Block] = []
    if data.rows is not None:
        blocks += _row_blocks(data.rows.total)
        blocks += [Text(line) for line in describe_hashes(data.settings.spec, data.rows)]
    if data.findings is not None:
        blocks += _finding_blocks(data)
    if data.statistics is not None:
        columns = columns_of(data.statistics)
        accepted = columns_of(data.accepted) if data.accepted is not None else {}
        blocks.append(_column_table(columns, accepted))
        blocks += _change_figures(columns, accepted)
        if not accepted:
            blocks.append(Text("There was no accepted log to compare with."))
    return Section("data", "Data", tuple(blocks)) if blocks else None


def _row_blocks(total: SourceReport) -> list[Block]:
    rows = [["read", number(float(total.read), ",.0f"), ""]]
    shares = {split: total.accepted.get(split, 0) for split in SPLITS}
    for name, count in shares.items():
        rows.append([f"split {name}", number(float(count), ",.0f"), _share(count, total.read)])
    rejected = sorted(total.rejected.items(), key=lambda one: -one[1])
    for reason, count in rejected:
        text = f"rejected, {reason}: {REASONS.get(reason, '')}"
        rows.append([text, number(float(count), ",.0f", "bad"), _share(count, total.read)])
    if not rejected:
        rows.append(["rejected", number(0.0, ",.0f"), _share(0, total.read)])
    return [table(("rows", "number", "share"), rows, "Rows of the log by split, and rejected rows by reason.")]


def _share(count: float, total: float) -> Cell:
    return number(count / total if total else None, ".2%")


def _finding_blocks(data: RunData) -> list[Block]:
    assert data.findings is not None
    found = [*data.findings.anomalies, *data.findings.warnings]
    notes: list[Block] = [Text(note) for note in data.findings.notes]
    if not found:
        return [*notes, Text("The data checks found no anomaly.", "good")]
    anomalies = set(data.findings.anomalies)
    rows = [
        [
            one.column,
            Cell("anomaly", tone="bad") if one in anomalies else Cell("warning", tone="open"),
            one.check,
            one.expected,
            one.received,
            one.advice,
        ]
        for one in found
    ]
    return [*notes, table(("column", "kind", "check", "expected", "received", "advice"), rows, "Data checks.")]


def _column_table(columns: Mapping[str, ColumnStatistics], accepted: Mapping[str, ColumnStatistics]) -> Block:
    names = ["column", "type", "rows with a value", "distinct values", "mean", "standard deviation"]
    names.append("most frequent value")
    if accepted:
        names += ["last log: rows with a value", "last log: mean", "largest change of a share"]
    rows = []
    for name, column in columns.items():
        is_text = column.type == BYTES
        frequent = max(column.counts, key=lambda one: column.counts[one], default="") if is_text else ""
        frequent_text = f"{frequent} ({column.largest_share:.1%})" if frequent else NO_VALUE
        row = [
            Cell(name),
            Cell(column.type.lower() if not is_text else "text"),
            number(column.filled_share, ".1%"),
            number(float(column.distinct), ",.0f") if is_text else Cell(NO_VALUE),
            Cell(NO_VALUE) if is_text else number(column.mean, ".5g"),
            Cell(NO_VALUE) if is_text else number(column.std, ".5g"),
            Cell(frequent_text),
        ]
        if accepted:
            other = accepted.get(name)
            row += [
                number(None if other is None else other.filled_share, ".1%"),
                number(None if other is None or is_text else other.mean, ".5g"),
                number(_largest_change(column, other), ".2%"),
            ]
        rows.append(row)
    return table(names, rows, "Columns of the log, on the rows of which statistics are computed.", search="column")


def _largest_change(column: ColumnStatistics, other: ColumnStatistics | None) -> float | None:
    """Returns the largest change of the share of a value (the L-infinity distance); None for a column of numbers."""
    if other is None or column.type != BYTES or other.type != BYTES:
        return None
    return max(column.share_changes(other).values(), default=0.0)


def _change_figures(columns: Mapping[str, ColumnStatistics], accepted: Mapping[str, ColumnStatistics]) -> list[Block]:
    """Returns the values of the columns of text that changed most."""
    changes = {name: _largest_change(column, accepted.get(name)) for name, column in columns.items()}
    largest = sorted((name for name, one in changes.items() if one), key=lambda name: -(changes[name] or 0.0))
    blocks: list[Block] = []
    for index, name in enumerate(largest[:_FIGURES]):
        ours, theirs = columns[name].shares, accepted[name].shares
        values = sorted({*ours, *theirs}, key=lambda one: -max(ours.get(one, 0.0), theirs.get(one, 0.0)))[:_VALUES]
        rows = [
            {"value": value, "log": log, "share": shares.get(value, 0.0)}
            for log, shares in (("this log", ours), ("last accepted log", theirs))
            for value in values
        ]
        caption = f"Shares of the most frequent values; the largest change of a share is {changes[name]:.2%}."
        blocks.append(Figure(f"change-{index}", f"Change of {name}", caption, change_figure(rows, name)))
    return blocks
