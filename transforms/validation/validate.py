"""Validation of raw rows against the dataset's spec, and their typed columns."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tfmtl.features import LISTS, NUMBER_COLUMNS, CategoricalFeature, MultiValuedFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, RandomSplit, Task, TimeSplit
from transforms.batches import column_types, reasons
from transforms.batches.columns import feature_columns, raw_columns, typed_columns
from transforms.batches.labels import missing_labels, parse_labels
from transforms.batches.parsing import build_single_lists, parse_amounts, parse_counts, parse_numbers
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.validation.feature_columns import parse_feature
from transforms.validation.rejections import RowRejections
from transforms.validation.split_times import comparable_times


@dataclasses.dataclass(frozen=True)
class ValidatedBatch:
    """Accepted and rejected rows of a batch.

    Attributes:
        typed: Columns of `typed_columns`, one list per row, null where the value is missing: tokens are
            `list<binary>`, numbers and weights `list<float>`, labels `list<int64>` or, of values, `list<float>`. An
            absent position of a sequence is an empty token or NaN.
        raw: The accepted rows as they were read; lists of a column with one value per row are replaced by the value.
        rejects: The rejected rows, those of the reader included, by line.
    """

    typed: pa.RecordBatch
    raw: RawBatch
    rejects: tuple[Reject, ...]


def validate(batch: RawBatch, spec: DatasetSpec) -> ValidatedBatch:
    """Validates all rows of a batch against the spec, and converts the accepted rows to typed columns.

    A row is rejected for the first of the following reasons; columns are tested in the order of the spec.

    - `type_mismatch`: a column has a type that its use does not support, and another type elsewhere in the file.
    - `multiple_values`: a column with one value per row has several values.
    - `missing_label`: a label is missing, and the previous task's label, if there is one, is not 0. Where it is 0, the
      missing label is 0.
    - `invalid_label`: a binary label, or the value of a column of open labels, is not one
      (`transforms.batches.labels.parse_labels`), or a count is not an integer >= 0.
    - `broken_chain`: a label is positive, but the previous task's label is 0.
    - `missing_required`: a required feature has no value.
    - `not_a_number`: a number is infinite, exceeds float32, or is not a number; NaN is a missing value.
    - `invalid_weights`: there is not one finite weight for each token.
    - `invalid_time`: the time that assigns the split is missing, or cannot be compared with the bounds
      (`transforms.validation.split_times`).
    - `invalid_row_weight`: the weight of the row is missing, negative, or not a finite number.

    Empty tokens of a multivalent feature are removed with their weights. In a sequence, empty tokens, empty numbers and
    NaN are absent positions, so that the other values keep theirs. A list without values is a missing value. Strings
    are split at the feature's separator; the values of lists are not split.

    Args:
        batch: Rows with the columns of `raw_columns(spec)`.
        spec: Spec of the dataset.

    Returns:
        The accepted rows, raw and typed, and the rejected rows.

    Raises:
        ColumnTypeError: If a column has a type that its use does not support.
    """
    rejections = RowRejections(batch)
    batch = _validate_types(batch, _expected_types(spec), rejections)
    batch = _unwrap(batch, raw_columns(spec), spec, rejections)
    columns = _validate_labels(batch, spec, rejections)
    columns |= _validate_features(batch, spec, rejections)
    if isinstance(spec.split, TimeSplit):
        _validate_time(batch, spec.split, rejections)
    if spec.weight is not None:
        weights, not_numbers = parse_numbers(batch.column(spec.weight))
        invalid = not_numbers | ~(weights >= 0)
        rejections.reject(invalid, reasons.INVALID_ROW_WEIGHT, "a number of at least 0", spec.weight)
        columns[spec.weight] = build_single_lists(pa.array(weights.astype(np.float32)))
    if spec.group_key and spec.group_key not in columns:
        groups = column_types.format_values(batch.column(spec.group_key))
        columns[spec.group_key] = build_single_lists(groups.cast(pa.binary()))
    return _accepted(batch, {name: columns[name] for name in typed_columns(spec)}, rejections)


def validate_features(batch: RawBatch, spec: DatasetSpec) -> ValidatedBatch:
    """Validates the features of rows that are to be scored, as `validate` does; other columns are not read.

    Args:
        batch: Rows with the columns of `feature_columns(spec)`, and any others.
        spec: Spec of the dataset.

    Returns:
        The accepted rows, raw and typed, where `typed` has the features and their weights only; and the rejected rows.

    Raises:
        ColumnTypeError: If a column has a type that its feature does not support.
    """
    rejections = RowRejections(batch)
    batch = _validate_types(batch, _feature_types(spec), rejections)
    batch = _unwrap(batch, feature_columns(spec), spec, rejections)
    return _accepted(batch, _validate_features(batch, spec, rejections), rejections)


def _accepted(batch: RawBatch, columns: Mapping[str, pa.Array], rejections: RowRejections) -> ValidatedBatch:
    typed = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    accepted = rejections.accepted
    if len(accepted) < len(batch.lines):
        typed = typed.take(pa.array(accepted))
    return ValidatedBatch(typed, batch.take(accepted), tuple(rejections.all_rejects()))


def _unwrap(batch: RawBatch, columns: Sequence[str], spec: DatasetSpec, rejections: RowRejections) -> RawBatch:
    """Replaces lists in columns that have one value per row by the value, and rejects rows with several."""
    lists: set[str] = set()
    for feature in spec.features:
        if isinstance(feature, LISTS):
            lists |= {feature.name, getattr(feature, "weights", None) or feature.name}
    batch, multiple = column_types.unwrap_single_values(batch, [name for name in columns if name not in lists])
    for column, mask in multiple.items():
        rejections.reject(mask, reasons.MULTIPLE_VALUES, "one value", column)
    return batch


def _validate_types(batch: RawBatch, types: Iterable[tuple[str, str]], rejections: RowRejections) -> RawBatch:
    """Rejects the rows of columns with an unsupported type that differs from the rest of the file.

    Returns:
        The batch with nulls in these columns.

    Raises:
        ColumnTypeError: If the type is unsupported and does not differ.
    """
    every_row = np.ones(len(batch.lines), bool)
    for column, expected in types:
        received = batch.columns.schema.field(column).type
        if column in batch.mismatched_columns and not column_types.is_supported(received, expected):
            rejections.reject(every_row, reasons.TYPE_MISMATCH, f"{expected}, as in other rows", column)
            batch = batch.replace(column, pa.nulls(len(batch.lines), pa.string()))
        column_types.require_type(batch, column, expected)
    return batch


def _expected_types(spec: DatasetSpec) -> Iterator[tuple[str, str]]:
    """Yields each column with the types that its use supports."""
    yield from _feature_types(spec)
    for task in spec.tasks:
        yield task.label, column_types.LABELS if task.positive else column_types.NUMBERS
    for column in spec.maturity_columns:
        yield column, column_types.NUMBERS
    if spec.weight is not None:
        yield spec.weight, column_types.NUMBERS
    if spec.group_key and spec.group_key not in [feature.name for feature in spec.features]:
        yield spec.group_key, column_types.TOKENS
    if isinstance(spec.split, TimeSplit):
        yield spec.split.column, column_types.TIMES
    keys = spec.split.key if isinstance(spec.split, RandomSplit) else ()
    for key in dict.fromkeys([*keys, *(spec.sampling.key if spec.sampling else ())]):
        if key not in typed_columns(spec):
            yield key, column_types.TOKENS


def _feature_types(spec: DatasetSpec) -> Iterator[tuple[str, str]]:
    for feature in spec.features:
        yield feature.name, column_types.NUMBERS if isinstance(feature, NUMBER_COLUMNS) else column_types.TOKENS
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            yield feature.weights, column_types.NUMBERS


def _validate_labels(batch: RawBatch, spec: DatasetSpec, rejections: RowRejections) -> dict[str, pa.Array]:
    """Returns the typed columns of the labels."""
    labels: dict[str, np.ndarray] = {}
    invalid: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        values = batch.column(task.label)
        missing = missing_labels(values)
        parsed = _parse_label(task, values)
        labels[task.name] = np.where(missing, parsed[0].dtype.type(0), parsed[0])
        invalid[task.name] = parsed[1] & ~missing
        if task.follows is not None:  # The event cannot have happened where the previous one did not.
            missing &= labels[task.follows] != 0
        rejections.reject(missing, reasons.MISSING_LABEL, "given", task.label)
    for task in spec.tasks:
        rejections.reject(invalid[task.name], reasons.INVALID_LABEL, _expected_label(task), task.label)
    for task in spec.tasks:
        if task.follows is not None:
            broken = (labels[task.name] > 0) & (labels[task.follows] == 0)
            previous_label = spec.task(task.follows).label
            rejections.reject(broken, reasons.BROKEN_CHAIN, f"0 where {previous_label} is 0", task.label)
    columns = {task.label: build_single_lists(pa.array(labels[task.name])) for task in spec.tasks}
    for name in (*spec.open_columns.values(), *spec.copy_columns.values()):
        is_marked, not_label = parse_labels(batch.column(name))
        rejections.reject(not_label, reasons.INVALID_LABEL, "0 or 1, or true or false", name)
        columns[name] = build_single_lists(pa.array(is_marked))
    for label, name in spec.copy_columns.items():
        broken = (columns[name].flatten().to_numpy() == 1) & (columns[label].flatten().to_numpy() == 0)
        rejections.reject(broken, reasons.INVALID_LABEL, f"0 where {label} is 0", name)
    for name in spec.elapsed_columns.values():
        days, not_numbers = parse_numbers(batch.column(name))
        not_days = not_numbers | ~((days >= 0) & np.isfinite(days))
        rejections.reject(not_days, reasons.NOT_A_NUMBER, "a number of days of at least 0", name)
        columns[name] = build_single_lists(pa.array(np.where(not_days, 0, days).astype(np.float32)))
    return columns


def _parse_label(task: Task, values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels, int64 or, of a value, float32, and the mask of the values that are not a label."""
    if task.kind == "value":
        return parse_amounts(values)
    return parse_counts(values) if task.kind == "count" else parse_labels(values, task.positive)


def _expected_label(task: Task) -> str:
    if task.kind == "value":
        return "a number >= 0"
    if task.kind == "count":
        return "an integer >= 0"
    return "a number" if task.positive else "0 or 1, or true or false"


def _validate_features(batch: RawBatch, spec: DatasetSpec, rejections: RowRejections) -> dict[str, pa.Array]:
    """Returns the typed columns of the features."""
    parsed_features = [parse_feature(batch, feature) for feature in spec.features]
    for feature, parsed in zip(spec.features, parsed_features, strict=True):
        if isinstance(feature, CategoricalFeature | NumericalFeature) and feature.required:
            rejections.reject(parsed.missing, reasons.MISSING_REQUIRED, "given", feature.name)
    for reason in (reasons.NOT_A_NUMBER, reasons.INVALID_VECTOR, reasons.INVALID_WEIGHTS):
        for parsed in parsed_features:
            if parsed.reason == reason:
                rejections.reject(parsed.invalid, reason, parsed.expected, parsed.validated_column)
    return {name: column for parsed in parsed_features for name, column in parsed.columns.items()}


def _validate_time(batch: RawBatch, split: TimeSplit, rejections: RowRejections) -> None:
    times = comparable_times(batch.column(split.column), split)
    rejections.reject(times.invalid, reasons.INVALID_TIME, times.expected, split.column)
