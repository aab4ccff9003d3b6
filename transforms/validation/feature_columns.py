"""Parsing of a feature's raw columns into typed columns, with masks of missing and invalid values."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.features import (
    CategoricalFeature,
    DenseFeature,
    Feature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from transforms.batches import reasons
from transforms.batches.column_types import format_values
from transforms.batches.parsing import (
    boolean_mask,
    build_lists,
    build_single_lists,
    parse_numbers,
    split_lists,
    split_tokens,
)
from transforms.batches.raw_batch import RawBatch


@dataclasses.dataclass(frozen=True)
class ParsedFeature:
    """Typed columns of one feature.

    Attributes:
        columns: Typed columns by name, each one list per row: the feature's, followed by that of its weights.
        missing: Mask of the rows without a value, bool, shape `(rows,)`.
        invalid: Mask of the rows with an invalid value, bool, shape `(rows,)`.
        reason: Reason for which a row with an invalid value is rejected; empty if all values are valid.
        expected: Expected value, for the detail of the reject.
    """

    columns: dict[str, pa.Array]
    missing: np.ndarray
    invalid: np.ndarray
    reason: str = ""
    expected: str = ""

    @property
    def validated_column(self) -> str:
        """Name of the column that `invalid` refers to."""
        return list(self.columns)[-1]


def parse_feature(batch: RawBatch, feature: Feature) -> ParsedFeature:
    """Parses the columns of a feature.

    Args:
        batch: Rows with the feature's columns.
        feature: Feature of the dataset's spec.

    Returns:
        Typed columns, one list per row (see `transforms.validation.validate.ValidatedBatch.typed`), and masks of the
        rows whose value is missing or invalid.
    """
    column = batch.column(feature.name)
    rows = len(column)
    all_valid = np.zeros(rows, bool)
    if isinstance(feature, CategoricalFeature):
        tokens = build_single_lists(format_values(column).cast(pa.binary()))
        return ParsedFeature({feature.name: tokens}, boolean_mask(column.is_null()), all_valid)
    if isinstance(feature, NumericalFeature):
        numbers, invalid = parse_numbers(column)
        values = pa.array(numbers.astype(np.float32), from_pandas=True)  # NaN becomes null.
        columns = {feature.name: build_single_lists(values)}
        missing = np.isnan(numbers) & ~invalid
        return ParsedFeature(columns, missing, invalid, reasons.NOT_A_NUMBER, "a finite number")
    if isinstance(feature, MultiValuedFeature) and feature.weights:
        return _parse_weighted_tokens(column, batch.column(feature.weights), feature)
    if isinstance(feature, NumberSequenceFeature | DenseFeature):
        return _parse_number_list(column, feature)
    tokens, row = split_tokens(column, feature.separator)
    kept = boolean_mask(pc.not_equal(tokens, ""))
    if isinstance(feature, SequenceFeature):  # Empty tokens keep the positions of the others.
        kept = _any_in_row(kept, row, rows)[row]
    tokens, row = _filter(tokens, row, kept)
    lists = build_lists(tokens.cast(pa.binary()), row, rows)
    return ParsedFeature({feature.name: lists}, boolean_mask(lists.is_null()), all_valid)


def _parse_number_list(column: pa.Array, feature: NumberSequenceFeature | DenseFeature) -> ParsedFeature:
    rows = len(column)
    values, row = split_lists(column, feature.separator)
    numbers, is_invalid = parse_numbers(values)
    invalid = _any_in_row(is_invalid, row, rows)
    has_number = _any_in_row(~np.isnan(numbers), row, rows)
    kept = has_number[row]
    lists = build_lists(pa.array(numbers[kept].astype(np.float32)), row[kept], rows)
    missing = boolean_mask(lists.is_null()) & ~invalid
    if isinstance(feature, DenseFeature):
        invalid |= has_number & (np.bincount(row, minlength=rows) != feature.length)
        expected = f"{feature.length} finite numbers"
        return ParsedFeature({feature.name: lists}, missing & ~invalid, invalid, reasons.INVALID_VECTOR, expected)
    expected = "a list of finite numbers"
    return ParsedFeature({feature.name: lists}, missing, invalid, reasons.NOT_A_NUMBER, expected)


def _parse_weighted_tokens(column: pa.Array, weight_column: pa.Array, feature: MultiValuedFeature) -> ParsedFeature:
    rows = len(column)
    tokens, row = split_tokens(column, feature.separator)
    values, weight_row = split_lists(weight_column, feature.separator)
    weights = parse_numbers(values)[0]
    invalid = np.bincount(row, minlength=rows) != np.bincount(weight_row, minlength=rows)
    invalid[weight_row[np.isnan(weights)]] = True
    # In the valid rows each token has a weight, so that both are filtered by one mask from here on.
    tokens, row = _filter(tokens, row, ~invalid[row])
    weights = weights[~invalid[weight_row]]
    not_empty = boolean_mask(pc.not_equal(tokens, ""))
    tokens, row = _filter(tokens, row, not_empty)
    columns = {
        feature.name: build_lists(tokens.cast(pa.binary()), row, rows),
        str(feature.weights): build_lists(pa.array(weights[not_empty].astype(np.float32)), row, rows),
    }
    missing = boolean_mask(columns[feature.name].is_null()) & ~invalid
    expected = f"one finite number for each token of {feature.name}"
    return ParsedFeature(columns, missing, invalid, reasons.INVALID_WEIGHTS, expected)


def _any_in_row(mask: np.ndarray, row: np.ndarray, rows: int) -> np.ndarray:
    """Returns the mask of the rows with a value that is in `mask`; bool, shape `(rows,)`."""
    return np.bincount(row[mask], minlength=rows) > 0


def _filter(values: pa.Array, row: np.ndarray, mask: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    return (values, row) if mask.all() else (values.filter(pa.array(mask)), row[mask])
