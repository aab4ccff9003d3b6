"""Typed columns of a spec's features, and the values that are none."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmtl.features import (
    NUMBER_COLUMNS,
    POSITIONS,
    CategoricalFeature,
    DenseFeature,
    Feature,
    MultiValuedFeature,
    NumericalFeature,
)
from tfmtl.rows.lists import Lists, split_lists
from tfmtl.rows.values import Column, is_missing, to_numbers, to_tokens

MULTIPLE_VALUES = "multiple_values"
MISSING_REQUIRED = "missing_required"
NOT_A_TOKEN = "type_mismatch"
NOT_A_NUMBER = "not_a_number"
INVALID_VECTOR = "invalid_vector"
INVALID_WEIGHTS = "invalid_weights"


@dataclasses.dataclass(frozen=True)
class InvalidValue:
    """Value for which a row cannot be scored.

    Attributes:
        row: Index of the row.
        column: Name of the column.
        reason: Reason, one of `transforms.batches.reasons.REASONS`.
        expected: Expected value, as it follows "should be".
        received: Value as it was given.
    """

    row: int
    column: str
    reason: str
    expected: str
    received: Any

    def __str__(self) -> str:
        received = self.received.decode(errors="replace") if isinstance(self.received, bytes) else self.received
        shown = "nothing" if _is_nothing(received) else _shorten(repr(received))
        return f"{self.column} should be {self.expected}. Received: {shown}"


@dataclasses.dataclass(frozen=True)
class ParsedRows:
    """Rows, converted to the types of a spec.

    Attributes:
        columns: Typed column of each feature, and of its weights, by name. Tokens are a list of bytes, b"" where one is
            missing, and numbers float32 `(rows,)`, NaN where one is missing; multivalent features are `Lists`.
        invalid: Values that are not valid, by row; the columns hold missing values at their places.
        count: Number of rows.
    """

    columns: dict[str, Any]
    invalid: list[InvalidValue]
    count: int


def parse_rows(
    features: Sequence[Feature],
    columns: Mapping[str, Column],
    rows: int,
    null: Sequence[str] = (),
    require_weights: bool = False,
) -> ParsedRows:
    """Converts rows to the types of a spec's features.

    Strings of multivalent features are split at the feature's separator; the values of lists are not split. Empty
    tokens of a multi-valued feature are removed with their weights. In a sequence, empty tokens and missing numbers
    keep the positions of the others. The first `max_length` tokens of a multi-valued feature are kept, and the last
    `max_length` positions of a sequence.

    Args:
        features: Features of the spec.
        columns: Raw values by the name of the feature, or of its weights; a name that is absent is missing in each row.
        rows: Number of rows.
        null: Strings that mean a missing value, in addition to the empty one.
        require_weights: Whether each token needs a weight even if the row has no weights, as in a log. By default, all
            tokens of such a row have weight 1, which the transform gives them.

    Returns:
        The typed columns and the invalid values.

    Example:
        >>> features = (MultiValuedFeature("tags", separator=";"), NumericalFeature("price", required=True))
        >>> parsed = parse_rows(features, {"tags": ["a;b", None], "price": ["2.5", ""]}, rows=2)
        >>> parsed.columns["tags"].to_list(0)
        [b'a', b'b']
        >>> [f"row {invalid.row}: {invalid}" for invalid in parsed.invalid]
        ['row 1: price should be given. Received: nothing']
    """
    absent = [None] * rows
    given = {name: without_null(column, null) for name, column in columns.items()} if null else columns
    parser = _Parser({}, [])
    for feature in features:
        column = given.get(feature.name, absent)
        if isinstance(feature, CategoricalFeature):
            parser.token(feature, column)
        elif isinstance(feature, NumericalFeature):
            parser.number(feature, column)
        elif isinstance(feature, MultiValuedFeature) and feature.weights:
            parser.weighted_tokens(feature, column, given.get(feature.weights, absent), require_weights)
        else:
            parser.values(feature, column)
    return ParsedRows(parser.columns, sorted(parser.invalid, key=lambda invalid: invalid.row), rows)


def without_null(column: Column, null: Sequence[str]) -> Column:
    """Returns a column with None for the strings that mean a missing value.

    Args:
        column: Values, one for each row.
        null: Strings that mean a missing value.
    """
    if isinstance(column, np.ndarray) and column.dtype.kind not in "OUS":
        return column
    values = column.tolist() if isinstance(column, np.ndarray) else column
    known = {*null, *(text.encode() for text in null)}
    return [None if isinstance(value, str | bytes) and value in known else value for value in values]


@dataclasses.dataclass
class _Parser:
    """Typed columns and invalid values that were found so far."""

    columns: dict[str, Any]
    invalid: list[InvalidValue]

    def token(self, feature: CategoricalFeature, column: Column) -> None:
        tokens, invalid = to_tokens(column)
        self.columns[feature.name] = tokens
        self._reject_single(feature.name, column, invalid, NOT_A_TOKEN, "a string or a whole number")
        if feature.required and b"" in tokens:
            missing = [row for row, token in enumerate(tokens) if not token]
            self._reject(feature.name, column, sorted({*missing} - {*invalid}), MISSING_REQUIRED, "given")

    def number(self, feature: NumericalFeature, column: Column) -> None:
        numbers, invalid = to_numbers(column)
        self.columns[feature.name] = numbers
        self._reject_single(feature.name, column, invalid, NOT_A_NUMBER, "a finite number")
        if feature.required:
            missing = np.flatnonzero(np.isnan(numbers)).tolist()
            self._reject(feature.name, column, sorted({*missing} - {*invalid}), MISSING_REQUIRED, "given")

    def values(self, feature: Any, column: Column) -> None:
        flat, lengths = split_lists(column, feature.separator)
        is_number = isinstance(feature, NUMBER_COLUMNS)
        values, invalid = to_numbers(flat) if is_number else _token_array(flat)
        lists = Lists(values, lengths)
        rows = sorted(set(lists.rows[invalid].tolist()))
        reason, expected = (NOT_A_NUMBER, "finite numbers") if is_number else (NOT_A_TOKEN, "strings")
        if isinstance(feature, DenseFeature):
            has_number = np.bincount(lists.rows[~np.isnan(values)], minlength=len(lengths)) > 0
            is_vector = (lists.lengths == feature.length) | ~has_number
            rows, reason = sorted({*rows, *np.flatnonzero(~is_vector).tolist()}), INVALID_VECTOR
            expected = f"{feature.length} finite numbers"
        self._reject(feature.name, column, rows, reason, f"a list of {expected}")
        if isinstance(feature, POSITIONS):
            self.columns[feature.name] = lists.last(feature.max_length)
        else:
            self.columns[feature.name] = lists.select(lists.values != b"").first(feature.max_length)

    def weighted_tokens(
        self, feature: MultiValuedFeature, column: Column, weight_column: Column, require_weights: bool
    ) -> None:
        name, weights_name = feature.name, str(feature.weights)
        flat, lengths = split_lists(column, feature.separator)
        values, invalid_tokens = _token_array(flat)
        tokens = Lists(values, lengths)
        rejected = sorted(set(tokens.rows[invalid_tokens].tolist()))
        self._reject(name, column, rejected, NOT_A_TOKEN, "a list of strings")
        flat, lengths = split_lists(weight_column, feature.separator)
        weights = Lists(to_numbers(flat)[0], lengths)
        invalid = tokens.lengths != weights.lengths
        invalid[weights.rows[np.isnan(weights.values)]] = True
        unweighted = weights.lengths == 0
        if not require_weights:
            invalid &= ~unweighted
        expected = f"one finite number for each token of {name}"
        self._reject(weights_name, weight_column, np.flatnonzero(invalid).tolist(), INVALID_WEIGHTS, expected)
        not_empty = tokens.values != b""
        # Each token of the other rows has a weight, so that both are selected by one mask.
        weighted = ~invalid & ~unweighted
        weights = weights.select(weighted[weights.rows]).select(not_empty[weighted[tokens.rows]])
        self.columns[name] = tokens.select(not_empty).first(feature.max_length)
        self.columns[weights_name] = weights.first(feature.max_length)

    def _reject_single(self, name: str, column: Column, rows: Sequence[int], reason: str, expected: str) -> None:
        """Rejects values of a column with one value per row; a list of several has a reason of its own."""
        for row in rows:
            is_several = isinstance(column[row], list | tuple | np.ndarray)
            why, what = (MULTIPLE_VALUES, "one value") if is_several else (reason, expected)
            self._reject(name, column, [row], why, what)

    def _reject(self, name: str, column: Column, rows: Sequence[int], reason: str, expected: str) -> None:
        self.invalid += [InvalidValue(int(row), name, reason, expected, column[row]) for row in rows]


def _token_array(values: Column) -> tuple[np.ndarray, list[int]]:
    tokens, invalid = to_tokens(values)
    array = np.empty(len(tokens), object)
    array[:] = tokens
    return array, invalid


def _is_nothing(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str | list | tuple) and not value)


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
