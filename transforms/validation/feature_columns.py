"""The typed columns of a feature: what its cells say, and which of them are missing or bad."""

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
from transforms.batches import raw_batch as reasons
from transforms.batches.cells import as_text
from transforms.batches.parsing import as_lists, as_mask, as_single, parse_numbers, split_lists, split_tokens
from transforms.batches.raw_batch import RawBatch


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A feature's typed columns, by name; the rows without a value; the rows with a bad one, and what is bad."""

    columns: dict[str, pa.Array]
    missing: np.ndarray
    bad: np.ndarray
    reason: str = ""
    expected: str = ""

    @property
    def last_column(self) -> str:
        return list(self.columns)[-1]


def parse(batch: RawBatch, feature: Feature) -> Parsed:
    """The feature's columns of a batch, each a list a row (see `transforms.validation.validate.CheckedBatch.typed`)."""
    cells = batch.column(feature.name)
    none = np.zeros(len(cells), bool)
    if isinstance(feature, CategoricalFeature):
        return Parsed({feature.name: as_single(as_text(cells).cast(pa.binary()))}, as_mask(cells.is_null()), none)
    if isinstance(feature, NumericalFeature):
        numbers, bad = parse_numbers(cells)
        values = pa.array(numbers.astype(np.float32), from_pandas=True)  # NaN becomes null.
        missing = np.isnan(numbers) & ~bad
        return Parsed({feature.name: as_single(values)}, missing, bad, reasons.NOT_A_NUMBER, "a finite number")
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
    return Parsed({feature.name: lists}, as_mask(lists.is_null()), none)


def _parse_numbers(cells: pa.Array, feature: NumberSequenceFeature) -> Parsed:
    values, row = split_lists(cells, feature.separator)
    numbers, bad_place = parse_numbers(values)
    bad = _row_has(bad_place, row, len(cells))
    there = _row_has(~np.isnan(numbers), row, len(cells))[row]
    lists = as_lists(pa.array(numbers[there].astype(np.float32)), row[there], len(cells))
    missing = as_mask(lists.is_null()) & ~bad
    return Parsed({feature.name: lists}, missing, bad, reasons.NOT_A_NUMBER, "a list of finite numbers")


def _row_has(mask: np.ndarray, row: np.ndarray, rows: int) -> np.ndarray:
    """Which rows have a place that is in the mask."""
    return np.bincount(row[mask], minlength=rows) > 0


def _parse_weighted(cells: pa.Array, weight_cells: pa.Array, feature: MultiValuedFeature) -> Parsed:
    rows = len(cells)
    tokens, row = split_tokens(cells, feature.separator)
    values, weight_row = split_lists(weight_cells, feature.separator)
    weights = parse_numbers(values)[0]
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
    return Parsed(columns, missing, bad, reasons.INVALID_WEIGHTS, expected)


def _drop(values: pa.Array, row: np.ndarray, keep: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    return (values, row) if keep.all() else (values.filter(pa.array(keep)), row[keep])
