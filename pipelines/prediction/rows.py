"""Reading of the rows of a file for prediction, as `tfmtl run` reads those of a log."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.prediction.columns import find_columns
from tfmtl.features import LISTS, NUMBER_COLUMNS, MultiValuedFeature
from tfmtl.rows import Lists, ParsedRows, parse_rows, to_columns
from tfmtl.spec import DatasetSpec
from transforms.batches import reasons
from transforms.batches.column_types import NUMBERS, TOKENS, require_type, unwrap_single_values
from transforms.batches.columns import feature_columns
from transforms.batches.errors import LogError
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read

_SHOWN_LINES = 10
_HINTS = {
    reasons.WRONG_COLUMN_COUNT: "Quote values that contain the delimiter, and remove delimiters at the end of a line.",
    reasons.INVALID_ENCODING: "Convert the file to UTF-8, or give its encoding in data.encoding of --settings.",
    reasons.NOT_A_NUMBER: "Write numbers as 1234.5, without separators of thousands, and leave a missing one empty.",
    reasons.MISSING_REQUIRED: "The model's spec requires a value in every row.",
    reasons.INVALID_WEIGHTS: "A row should have one weight for each token.",
}


@dataclasses.dataclass(frozen=True)
class PredictionRows:
    """Rows of a file.

    Attributes:
        table: All columns of the file under its own names, as they are read.
        parsed: Typed columns of the model's features, which `serving.client.TfmtlClient.predict` takes.
        absent: Names of the features that are missing in every row because the file has no such column.
    """

    table: pa.Table
    parsed: ParsedRows
    absent: tuple[str, ...]

    def features(self, row: int) -> dict[str, Any]:
        """Returns the features of one row: tokens as bytes, numbers, and lists; a missing one is None."""
        values: dict[str, Any] = {}
        for name, column in self.parsed.columns.items():
            if isinstance(column, Lists):
                values[name] = column.to_list(row)
            else:
                value = column[row]
                values[name] = (value or None) if isinstance(value, bytes) else None if value != value else float(value)
        return values


def read_rows(
    path: str, spec: DatasetSpec, log_format: LogFormat | None = None, limit: int | None = None
) -> PredictionRows:
    """Reads and validates rows by the code of the client (`tfmtl.rows`). Other columns than features are not validated.

    Args:
        path: Path of the file.
        spec: Spec of the dataset on which the model was trained.
        log_format: Format of the file; by default that of a log without `data` settings.
        limit: Number of rows, from the first on; None for all.

    Raises:
        LogError: If the file cannot be read, has no rows, lacks a required feature, or has a row that `tfmtl run` would
            reject. The message names file, line and column.
        FileNotFoundError: If there is no such file.
    """
    log_format = log_format or LogFormat()
    columns = find_columns(path, spec, log_format)
    raw: dict[str, list[Any]] = {name: [] for name in feature_columns(spec)}
    lines: list[int] = []
    tables: list[pa.Table] = []
    rejects: list[Reject] = []
    for batch in read(path, list(columns.names), log_format):
        if limit is not None:
            batch = _first_rows(batch, limit - len(lines) - len(rejects))
        _require_types(batch, spec)
        given = to_columns(batch.columns)[0]
        for name, values in raw.items():
            values += _as_list(given[name]) if name in given else [None] * len(batch.lines)
        lines += batch.lines.tolist()
        rejects += batch.rejects
        tables.append(_unwrapped(batch, spec).select(list(columns.names)))
        if limit is not None and len(lines) + len(rejects) >= limit:
            break
    parsed = parse_rows(spec.features, raw, len(lines), require_weights=True)
    first_of_row = {invalid.row: invalid for invalid in reversed(parsed.invalid)}
    rejects += [Reject(path, lines[row], invalid.reason, str(invalid), "") for row, invalid in first_of_row.items()]
    if rejects:
        raise LogError(format_rejects(rejects))
    if not lines:
        raise LogError(f"{path}: should have at least one row. Received: none.")
    absent = tuple(name for name in columns.absent if all(value is None for value in raw[name]))
    table = _concatenate(tables).rename_columns(list(columns.names.values()))
    return PredictionRows(table, parsed, absent)


def format_rejects(rejects: Sequence[Reject]) -> str:
    """Formats rejected rows as an error of up to three lines: the first reject, advice, and the lines of all.

    Args:
        rejects: Rejected rows, at least one.
    """
    first = min(rejects, key=lambda reject: reject.line)
    lines = [f"{first.source}:{first.line}: {first.detail}"]
    if first.reason in _HINTS:
        lines.append(_HINTS[first.reason])
    if len(rejects) > 1:
        numbers = [str(reject.line) for reject in sorted(rejects, key=lambda reject: reject.line)]
        shown = ", ".join(numbers[:_SHOWN_LINES]) + (", ..." if len(numbers) > _SHOWN_LINES else "")
        lines.append(f"{len(rejects):,} rows are invalid (lines {shown}). No row was scored.")
    return "\n".join(lines)


def _first_rows(batch: RawBatch, limit: int) -> RawBatch:
    """Returns the first rows of a batch, those that its reader rejected among them counted too."""
    lines = np.sort(np.concatenate([batch.lines, [reject.line for reject in batch.rejects]]))
    if len(lines) <= limit:
        return batch
    kept = np.flatnonzero(batch.lines < lines[limit])
    rejects = tuple(reject for reject in batch.rejects if reject.line < lines[limit])
    return dataclasses.replace(batch.take(kept), rejects=rejects)


def _require_types(batch: RawBatch, spec: DatasetSpec) -> None:
    """Raises `ColumnTypeError` if a column has a type that a run does not read."""
    for feature in spec.features:
        expected = NUMBERS if isinstance(feature, NUMBER_COLUMNS) else TOKENS
        types = {feature.name: expected}
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            types[feature.weights] = NUMBERS
        for name, expected in types.items():
            if name in batch.columns.column_names and name not in batch.mismatched_columns:
                require_type(batch, name, expected)


def _unwrapped(batch: RawBatch, spec: DatasetSpec) -> pa.Table:
    """Returns the columns, in which the lists of a feature with one value per row are replaced by the value."""
    single = [feature.name for feature in spec.features if not isinstance(feature, LISTS)]
    return unwrap_single_values(batch, [name for name in single if name in batch.columns.column_names])[0].columns


def _as_list(column: Any) -> list[Any]:
    is_time = isinstance(column, np.ndarray) and column.dtype.kind == "M"  # `tolist` makes integers of nanoseconds.
    values: list[Any] = column.tolist() if isinstance(column, np.ndarray) and not is_time else list(column)
    return values


def _concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenates tables. A column whose type differs, as in TFRecord files, is converted to strings."""
    for name in tables[0].column_names:
        if len({table.schema.field(name).type for table in tables}) > 1:
            tables = [
                table.set_column(
                    table.column_names.index(name),
                    name,
                    pa.array([None if value is None else str(value) for value in table.column(name).to_pylist()]),
                )
                for table in tables
            ]
    return pa.concat_tables(tables)
