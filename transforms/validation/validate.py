"""The one check that every row passes, whatever it was read from, and the typed columns it becomes."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tfmtl.features import BAGS, NUMBERS, CategoricalFeature, MultiValuedFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, RandomSplit, TimeSplit
from transforms.batches import cells
from transforms.batches import raw_batch as reasons
from transforms.batches.parsing import as_mask, as_single, parse_binary, parse_counts, parse_numbers
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.validation.feature_columns import parse
from transforms.validation.rejections import RowRejections


@dataclasses.dataclass(frozen=True)
class CheckedBatch:
    """The rows of a batch that passed, and the others.

    Attributes:
        typed: the columns of `typed_columns`, each a list a row, null where the value is missing: tokens are
            `list<binary>`, numbers and weights `list<float>`, labels `list<int64>`. An absent place of a sequence is
            an empty token or a NaN.
        raw: the same rows as they were read, but for lists of one value, in whose place the value stands.
        rejects: the rows that did not pass, those of the reader included, by line.
    """

    typed: pa.RecordBatch
    raw: RawBatch
    rejects: tuple[Reject, ...]


def raw_columns(spec: DatasetSpec) -> tuple[str, ...]:
    """The columns that are read for a data set: `typed_columns`, and those that the split looks at."""
    split: tuple[str, ...] = ()
    if isinstance(spec.split, TimeSplit):
        split = (spec.split.column,)
    elif isinstance(spec.split, RandomSplit):
        split = spec.split.key
    return tuple(dict.fromkeys([*typed_columns(spec), *split]))


def typed_columns(spec: DatasetSpec) -> tuple[str, ...]:
    """The columns that are written: features and their weights in the order of the spec, labels, and the group key."""
    names: list[str] = []
    for feature in spec.features:
        names.append(feature.name)
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            names.append(feature.weights)
    return tuple(dict.fromkeys([*names, *spec.labels, *([spec.group_key] if spec.group_key else [])]))


def check(batch: RawBatch, spec: DatasetSpec) -> CheckedBatch:
    """Checks all rows of a batch against the spec at once, and types those that pass.

    A row is rejected for the first of these, each looked for in the order of the spec: `type_mismatch` (a column is of a
    type that cannot be what the spec says, and is of another type elsewhere in the file), `multiple_values` (a list
    where one value belongs), `missing_label`, `invalid_label` (a binary label is 0 or 1, as text 0.0 or 1.0 too; a
    count is a whole number from 0 on), `broken_chain` (a label is positive where that of the task it follows is 0),
    `missing_required`, `not_a_number` (nan is a missing value, inf is no number, and none is beyond float32),
    `invalid_weights` (not one finite number for each token) and `invalid_time` (the time that the split compares is missing, or
    is no number where the bounds are).

    Empty tokens of a bag are dropped, with their weights. Those of a sequence are absent places, and so are empty and
    nan among its numbers: what stands around them keeps its position. A list without any value is a missing value.
    A text is cut at its feature's separator; the values of a list are taken as they are.

    Args:
        batch: with the columns of `raw_columns(spec)`.
        spec: what they mean.

    Raises:
        ColumnTypeError: if a column is of a type that cannot be what the spec says it is.
    """
    verdict = RowRejections(batch)
    for column, expected in _types(spec):
        if column in batch.mismatched_columns and not cells.fits(batch.columns.schema.field(column).type, expected):
            verdict.reject(np.ones(len(batch.lines), bool), reasons.TYPE_MISMATCH, f"{expected}, as elsewhere", column)
            batch = batch.replace(column, pa.nulls(len(batch.lines), pa.string()))
        cells.require_type(batch, column, expected)
    batch, several = cells.with_single_values(batch, _single_columns(spec))
    for column, mask in several.items():
        verdict.reject(mask, reasons.MULTIPLE_VALUES, "one value", column)
    columns = _check_labels(batch, spec, verdict)
    parsed = [parse(batch, feature) for feature in spec.features]
    for feature, values in zip(spec.features, parsed, strict=True):
        if isinstance(feature, CategoricalFeature | NumericalFeature) and feature.required:
            verdict.reject(values.missing, reasons.MISSING_REQUIRED, "given", feature.name)
    for reason in (reasons.NOT_A_NUMBER, reasons.INVALID_WEIGHTS):
        for values in parsed:
            if values.reason == reason:
                verdict.reject(values.bad, reason, values.expected, values.last_column)
    if isinstance(spec.split, TimeSplit):
        _check_time(batch, spec.split, verdict)
    for values in parsed:
        columns |= values.columns
    if spec.group_key and spec.group_key not in columns:
        columns[spec.group_key] = as_single(cells.as_text(batch.column(spec.group_key)).cast(pa.binary()))
    names = typed_columns(spec)
    typed = pa.RecordBatch.from_arrays([columns[name] for name in names], list(names))
    rows = verdict.accepted
    if len(rows) < len(batch.lines):
        typed = typed.take(pa.array(rows))
    rejects = sorted([*batch.rejects, *verdict.rejects()], key=lambda reject: reject.line)
    return CheckedBatch(typed, batch.take(rows), tuple(rejects))


def _types(spec: DatasetSpec) -> Iterator[tuple[str, str]]:
    """Columns, and what each has to hold."""
    for feature in spec.features:
        yield feature.name, cells.NUMBERS if isinstance(feature, NUMBERS) else cells.TOKENS
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            yield feature.weights, cells.NUMBERS
    for label in spec.labels:
        yield label, cells.NUMBERS
    if spec.group_key and spec.group_key not in [feature.name for feature in spec.features]:
        yield spec.group_key, cells.TOKENS
    if isinstance(spec.split, TimeSplit):
        yield spec.split.column, cells.TOKENS if isinstance(spec.split.eval_from, str) else cells.NUMBERS
    elif isinstance(spec.split, RandomSplit):
        for key in spec.split.key:
            if key not in typed_columns(spec):
                yield key, cells.TOKENS


def _single_columns(spec: DatasetSpec) -> list[str]:
    """The columns that have one value a row."""
    bags: set[str] = set()
    for feature in spec.features:
        if isinstance(feature, BAGS):
            bags |= {feature.name, getattr(feature, "weights", None) or feature.name}
    return [name for name in raw_columns(spec) if name not in bags]


def _check_labels(batch: RawBatch, spec: DatasetSpec, verdict: RowRejections) -> dict[str, pa.Array]:
    labels: dict[str, np.ndarray] = {}
    bad: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        values = batch.column(task.label)
        verdict.reject(cells.is_missing(values), reasons.MISSING_LABEL, "given", task.label)
        parse_label = parse_binary if task.kind == "binary" else parse_counts
        labels[task.name], bad[task.name] = parse_label(values)
    for task in spec.tasks:
        expected = "0 or 1" if task.kind == "binary" else "a whole number from 0 on"
        verdict.reject(bad[task.name], reasons.INVALID_LABEL, expected, task.label)
    for task in spec.tasks:
        if task.follows is not None:
            broken = (labels[task.name] > 0) & (labels[task.follows] == 0)
            previous = spec.task(task.follows).label
            verdict.reject(broken, reasons.BROKEN_CHAIN, f"0 where {previous} is 0", task.label)
    return {task.label: as_single(pa.array(labels[task.name])) for task in spec.tasks}


def _check_time(batch: RawBatch, split: TimeSplit, verdict: RowRejections) -> None:
    times = batch.column(split.column)
    if isinstance(split.eval_from, str):
        verdict.reject(as_mask(times.is_null()), reasons.INVALID_TIME, "given", split.column)
    else:
        verdict.reject(np.isnan(parse_numbers(times)[0]), reasons.INVALID_TIME, "a number", split.column)
