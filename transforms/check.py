"""The one check that every row passes, whatever it was read from, and the typed columns it becomes."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.features import (
    CategoricalFeature,
    Feature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec, RandomSplit, TimeSplit
from transforms import batch as reasons
from transforms.batch import RawBatch, Reject
from transforms.typed import as_lists, as_mask, as_single, parse_binary, parse_counts, parse_numbers, split_tokens
from transforms.verdict import Verdict


@dataclasses.dataclass(frozen=True)
class CheckedBatch:
    """The rows of a batch that passed, and the others.

    Attributes:
        typed: the columns of `typed_columns`, each a list a row, null where the value is missing: tokens are
            `list<binary>`, numbers and weights `list<float>`, labels `list<int64>`. An absent place of a sequence is
            an empty token or a NaN.
        raw: the same rows as they were read.
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

    A row is rejected for the first of these, each looked for in the order of the spec: `missing_label`,
    `impossible_label` (a binary label is written 0, 1, 0.0 or 1.0; a count is a whole number from 0 on), `broken_chain`
    (a label is positive where that of the task it follows is 0), `missing_required`, `not_a_number` (nan is a missing
    value, inf is no number, and none is beyond float32), `bad_weights` (not one finite number for each token) and
    `bad_time` (the time that the split compares is missing, or is no number where the bounds are).

    Empty tokens of a bag are dropped, with their weights. Those of a sequence are absent places, and so are empty and
    nan among its numbers: what stands around them keeps its position. A list without any value is a missing value.

    Args:
        batch: with the columns of `raw_columns(spec)`.
        spec: what they mean.
    """
    verdict = Verdict(batch)
    columns = _check_labels(batch, spec, verdict)
    parsed = [_parse(batch, feature) for feature in spec.features]
    for feature, values in zip(spec.features, parsed, strict=True):
        if isinstance(feature, CategoricalFeature | NumericalFeature) and feature.required:
            verdict.reject(values.missing, reasons.MISSING_REQUIRED, "given", feature.name)
    for reason in (reasons.NOT_A_NUMBER, reasons.BAD_WEIGHTS):
        for values in parsed:
            if values.reason == reason:
                verdict.reject(values.bad, reason, values.expected, values.last_column)
    if isinstance(spec.split, TimeSplit):
        _check_time(batch, spec.split, verdict)
    for values in parsed:
        columns |= values.columns
    if spec.group_key and spec.group_key not in columns:
        columns[spec.group_key] = as_single(batch.column(spec.group_key).cast(pa.binary()))
    names = typed_columns(spec)
    typed = pa.RecordBatch.from_arrays([columns[name] for name in names], list(names))
    rows = verdict.accepted
    if len(rows) < len(batch.lines):
        typed = typed.take(pa.array(rows))
    rejects = sorted([*batch.rejects, *verdict.rejects()], key=lambda reject: reject.line)
    return CheckedBatch(typed, batch.take(rows), tuple(rejects))


def _check_labels(batch: RawBatch, spec: DatasetSpec, verdict: Verdict) -> dict[str, pa.Array]:
    labels: dict[str, np.ndarray] = {}
    bad: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        cells = batch.column(task.label)
        verdict.reject(as_mask(cells.is_null()), reasons.MISSING_LABEL, "given", task.label)
        parse = parse_binary if task.kind == "binary" else parse_counts
        labels[task.name], bad[task.name] = parse(cells)
    for task in spec.tasks:
        expected = "0 or 1" if task.kind == "binary" else "a whole number from 0 on"
        verdict.reject(bad[task.name], reasons.IMPOSSIBLE_LABEL, expected, task.label)
    for task in spec.tasks:
        if task.follows is not None:
            broken = (labels[task.name] > 0) & (labels[task.follows] == 0)
            previous = spec.task(task.follows).label
            verdict.reject(broken, reasons.BROKEN_CHAIN, f"0 where {previous} is 0", task.label)
    return {task.label: as_single(pa.array(labels[task.name])) for task in spec.tasks}


def _check_time(batch: RawBatch, split: TimeSplit, verdict: Verdict) -> None:
    cells = batch.column(split.column)
    if isinstance(split.eval_from, str):
        verdict.reject(as_mask(cells.is_null()), reasons.BAD_TIME, "given", split.column)
    else:
        verdict.reject(np.isnan(parse_numbers(cells)[0]), reasons.BAD_TIME, "a number", split.column)


@dataclasses.dataclass(frozen=True)
class _Parsed:
    """A feature's typed columns, by name; the rows without a value; the rows with a bad one, and what is bad."""

    columns: dict[str, pa.Array]
    missing: np.ndarray
    bad: np.ndarray
    reason: str = ""
    expected: str = ""

    @property
    def last_column(self) -> str:
        return list(self.columns)[-1]


def _parse(batch: RawBatch, feature: Feature) -> _Parsed:
    cells = batch.column(feature.name)
    none = np.zeros(len(cells), bool)
    if isinstance(feature, CategoricalFeature):
        return _Parsed({feature.name: as_single(cells.cast(pa.binary()))}, as_mask(cells.is_null()), none)
    if isinstance(feature, NumericalFeature):
        numbers, bad = parse_numbers(cells)
        values = pa.array(numbers.astype(np.float32), from_pandas=True)  # NaN becomes null.
        missing = np.isnan(numbers) & ~bad
        return _Parsed({feature.name: as_single(values)}, missing, bad, reasons.NOT_A_NUMBER, "a finite number")
    if isinstance(feature, MultiValuedFeature) and feature.weights:
        return _parse_weighted(cells, batch.column(feature.weights), feature)
    if isinstance(feature, NumberSequenceFeature):
        return _parse_numbers(cells, feature)
    tokens, row = split_tokens(cells, feature.separator)
    there = as_mask(pc.not_equal(tokens, ""))
    if isinstance(feature, SequenceFeature):
        there = _row_has(there, row, len(cells))[row]
    tokens, row = _drop(tokens, row, there)
    lists = as_lists(tokens.cast(pa.binary()), row, len(cells))
    return _Parsed({feature.name: lists}, as_mask(lists.is_null()), none)


def _parse_numbers(cells: pa.Array, feature: NumberSequenceFeature) -> _Parsed:
    texts, row = split_tokens(cells, feature.separator)
    numbers, bad_place = parse_numbers(texts)
    bad = _row_has(bad_place, row, len(cells))
    there = _row_has(~np.isnan(numbers), row, len(cells))[row]
    lists = as_lists(pa.array(numbers[there].astype(np.float32)), row[there], len(cells))
    missing = as_mask(lists.is_null()) & ~bad
    return _Parsed({feature.name: lists}, missing, bad, reasons.NOT_A_NUMBER, "a list of finite numbers")


def _row_has(mask: np.ndarray, row: np.ndarray, rows: int) -> np.ndarray:
    """Which rows have a place that is in the mask."""
    return np.bincount(row[mask], minlength=rows) > 0


def _parse_weighted(cells: pa.Array, weight_cells: pa.Array, feature: MultiValuedFeature) -> _Parsed:
    rows = len(cells)
    tokens, row = split_tokens(cells, feature.separator)
    texts, weight_row = split_tokens(weight_cells, feature.separator)
    weights = parse_numbers(texts)[0]
    bad = np.bincount(row, minlength=rows) != np.bincount(weight_row, minlength=rows)
    bad[weight_row[np.isnan(weights)]] = True
    tokens, row = _drop(tokens, row, ~bad[row])
    weights = weights[~bad[weight_row]]
    full = as_mask(pc.not_equal(tokens, ""))
    tokens, row = _drop(tokens, row, full)
    columns = {
        feature.name: as_lists(tokens.cast(pa.binary()), row, rows),
        str(feature.weights): as_lists(pa.array(weights[full].astype(np.float32)), row, rows),
    }
    missing = as_mask(columns[feature.name].is_null()) & ~bad
    expected = f"one finite number for each token of {feature.name}"
    return _Parsed(columns, missing, bad, reasons.BAD_WEIGHTS, expected)


def _drop(values: pa.Array, row: np.ndarray, keep: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    return (values, row) if keep.all() else (values.filter(pa.array(keep)), row[keep])
