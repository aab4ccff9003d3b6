"""Parsing of binary labels that are numbers, booleans or texts."""

import operator
import re
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.column_types import format_values, is_missing
from transforms.batches.parsing import boolean_mask, parse_numbers

_PLAIN = ("0", "1", "0.0", "1.0")  # The label is the index modulo 2.
_MISSING = r"^[ \t]*(?i:nan)?[ \t]*$"
_COMPARISON = re.compile(r"\s*(>=|<=|>|<)\s*(.+)")
_OPERATORS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def missing_labels(column: pa.Array) -> np.ndarray:
    """Returns the mask of the missing labels: null, NaN, blank, or the text nan; bool, shape `(rows,)`.

    Args:
        column: Labels of any type.
    """
    missing = is_missing(column)
    if pa.types.is_string(column.type):
        missing = missing | boolean_mask(pc.match_substring_regex(column, _MISSING))
    return missing


def parse_labels(column: pa.Array, positive: Sequence[str | float] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Parses binary labels.

    Without `positive`, a label is 1 or 0, true or false in any case, or a text of these, such as `1.00` or ` TRUE`.
    With `positive`, a label is 1 if its value is one of the texts, or if it fulfils one of the comparisons, and else 0.
    Values are compared as numbers where both are numbers, and as texts without surrounding spaces otherwise.

    Args:
        column: Labels of any type.
        positive: Texts of the positive values, and comparisons of the form `>= 4`.

    Returns:
        The labels, int64, 0 where there is none, and the mask of the values that are not a label, bool; both of shape
        `(rows,)`. Missing values are in the mask if `positive` is not given or has a comparison.
    """
    if not positive:
        return _parse_zero_or_one(column)
    numbers, not_number = parse_numbers(column)
    texts = pc.utf8_trim_whitespace(format_values(column))
    labels, invalid = np.zeros(len(column), bool), np.zeros(len(column), bool)
    for entry in map(str, positive):
        match = _COMPARISON.fullmatch(entry)
        if match:
            labels |= _OPERATORS[match[1]](numbers, float(match[2]))
            invalid |= not_number | np.isnan(numbers)
        else:
            value = parse_numbers(pa.array([entry]))[0][0]
            labels |= boolean_mask(pc.equal(texts, entry.strip())) | (numbers == value)
    return labels.astype(np.int64), invalid


def _parse_zero_or_one(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    if pa.types.is_string(column.type):
        index = pc.index_in(column, value_set=pa.array(_PLAIN))
        if not index.null_count:
            return index.to_numpy(zero_copy_only=False).astype(np.int64) % 2, np.zeros(len(column), bool)
    numbers, _ = parse_numbers(column)
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(format_values(column)))
    is_true, is_false = (boolean_mask(pc.equal(texts, word)) for word in ("true", "false"))
    labels = (numbers == 1) | is_true
    return labels.astype(np.int64), ~(labels | (numbers == 0) | is_false)
