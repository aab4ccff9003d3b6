"""Reading of the rows of a file for prediction, as `tfmtl run` reads those of a log."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.prediction.columns import find_columns
from pipelines.prediction.model_spec import features_spec
from tfmtl.features import MULTIVALENT, SEQUENCES, MultiValuedFeature
from tfmtl.spec import DatasetSpec
from transforms.batches import reasons
from transforms.batches.errors import LogError
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read
from transforms.validation.validate import validate

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
        features: Columns of the model's features, as `serving.client.TfmtlClient.predict` takes them.
        absent: Names of the features that are missing in every row because the file has no such column.
    """

    table: pa.Table
    features: dict[str, list]
    absent: tuple[str, ...]


def read_rows(
    path: str, spec: DatasetSpec, log_format: LogFormat | None = None, limit: int | None = None
) -> PredictionRows:
    """Reads and validates rows. Labels and columns that are not features are not validated.

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
    features = features_spec(spec.name, spec.features, columns.names)
    tables, typed = [], []
    rejects: list[Reject] = []
    count = 0
    for batch in read(path, list(columns.names), log_format):
        if limit is not None:
            batch = _first_rows(batch, limit - count)
        validated = validate(_with_columns(batch, columns.absent, features.labels[0]), features)
        rejects += validated.rejects
        tables.append(validated.raw.columns.select(list(columns.names)))
        typed.append(validated.typed)
        count += len(batch.lines) + len(batch.rejects)
        if limit is not None and count >= limit:
            break
    if rejects:
        raise LogError(format_rejects(rejects))
    if not count:
        raise LogError(f"{path}: should have at least one row. Received: none.")
    rows, values = _concatenate(tables), pa.Table.from_batches(typed)
    absent = tuple(name for name in columns.absent if values.column(name).null_count == count)
    return PredictionRows(rows.rename_columns(list(columns.names.values())), _to_features(values, spec), absent)


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


def _with_columns(batch: RawBatch, absent: Sequence[str], label: str) -> RawBatch:
    """Returns the batch with absent features, and with a label that the validation accepts."""
    rows = len(batch.lines)
    columns = batch.columns
    for name in set(absent) - set(columns.column_names):
        columns = columns.append_column(name, pa.nulls(rows, pa.string()))
    columns = columns.append_column(label, pa.repeat(pa.scalar(0), rows))
    return dataclasses.replace(batch, columns=columns)


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


def _to_features(table: pa.Table, spec: DatasetSpec) -> dict[str, list]:
    features: dict[str, list] = {}
    for feature in spec.features:
        values: list[Any] = table.column(feature.name).to_pylist()
        if not isinstance(feature, MULTIVALENT):
            features[feature.name] = [value[0] if value else None for value in values]
            continue
        kept = feature.max_length if isinstance(feature, SEQUENCES) else 0  # The model uses the most recent positions.
        features[feature.name] = [(value or [])[-kept:] for value in values]
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            features[feature.weights] = [value or [] for value in table.column(feature.weights).to_pylist()]
    return features
