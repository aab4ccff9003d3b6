"""The rows of the skeleton: an id, the labels, the features of the item and of the impression, and a common row."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.ali_ccp.common import FINITE, HEXADECIMAL, CommonRows, hex_numbers
from transforms.ali_ccp.features import Features, bad_values, keep_features
from transforms.ali_ccp.fields import CLICK, CONVERSION, FIELDS
from transforms.ali_ccp.id_set import IdSet
from transforms.ali_ccp.lines import cut_lines, whole_numbers
from transforms.ali_ccp.options import IngestOptions
from transforms.ali_ccp.rejections import LineVerdict
from transforms.batches.parsing import parse_binary
from transforms.batches.raw_batch import SPLITS
from transforms.batches.reasons import (
    BROKEN_CHAIN,
    DUPLICATE_ID,
    INVALID_ID,
    INVALID_LABEL,
    INVALID_WEIGHTS,
    MISSING_COMMON_ROW,
    MISSING_LABEL,
)
from transforms.examples.from_tokens import encode_numbers
from transforms.readers.line_blocks import Block

_COLUMNS = 4
_TRAIN, _EVAL, _TEST = range(len(SPLITS))
_LABELS = [encode_numbers({CLICK: click, CONVERSION: conversion}) for click in (0, 1) for conversion in (0, 1)]


@dataclasses.dataclass(frozen=True)
class JoinedRows:
    """Rows of a block, with their common rows.

    Attributes:
        split: of each row, its index in `SPLITS`; -1 for one that is rejected; int8 `(rows,)`.
        common: of each row, its common row; int64 `(rows,)`.
        features: of the skeleton, without those of rejected rows and those that the common row has too.
        masks: of each row, the fields that it has (`Features.masks`), its common row's included; uint32 `(rows,)`.
        both: of each field, in how many rows it was in both; int64 `(len(FIELDS),)`.
        verdict: what was said against rows.
        parts: of each row, what its tf.Example is made of: the common features, its own, and the labels.
    """

    split: np.ndarray
    common: np.ndarray
    features: Features
    masks: np.ndarray
    both: np.ndarray
    verdict: LineVerdict
    parts: tuple[list[bytes], ...]

    def examples(self, which: np.ndarray) -> list[bytes]:
        """Serialized tf.Examples of the rows of these indices."""
        common, own, labels = self.parts
        return [common[row] + own[row] + labels[row] for row in which.tolist()]


class SkeletonReader:
    """Reads a file of the skeleton, block by block.

    A row is rejected, beside the reasons of `cut_lines`, for the first of these: `invalid_id` (its sample_id is no whole
    number), `duplicate_id` (an earlier row of the file has it), `missing_label`, `invalid_label`, `broken_chain` (a
    conversion without a click), `missing_common_row`, and `invalid_weights` (a value that is kept is no number).

    Args:
        source: the file.
        common: its common rows.
        options: what is kept.
        test: whether the rows test; else they train or validate.
    """

    def __init__(self, source: str, common: CommonRows, options: IngestOptions, test: bool):
        self._source = source
        self._common = common
        self._options = options
        self._test = test
        self._seen = IdSet()

    def read(self, block: Block) -> JoinedRows:
        """The rows of a block."""
        verdict = LineVerdict(cut_lines(block, _COLUMNS, self._source))
        pieces = verdict.lines.pieces
        ids = self._check_ids(verdict, pieces.cell(0))
        click, conversion = self._check_labels(verdict, pieces.cell(1), pieces.cell(2))
        common = self._find_common(verdict, pieces.cell(3))
        features = keep_features(pieces, self._options.preparation, self._options.max_values)
        bad, values = bad_values(features, pieces)
        verdict.reject(bad, INVALID_WEIGHTS, FINITE, values)
        common_masks = np.append(self._common.masks, np.uint32(0))[common]  # Row -1, which is none, has no fields.
        twice = (common_masks[features.row] >> features.field) & 1 == 1
        good = verdict.accepted[features.row]
        both = _count_rows(features, twice & good)
        features = features.take(good & ~twice)
        split = np.full(len(ids), _TEST if self._test else _TRAIN, np.int8)
        if not self._test:
            split[validates(ids, self._options.eval, self._options.seed)] = _EVAL
        split[~verdict.accepted] = -1
        masks = features.masks() | common_masks
        parts = self._encode(features, common, 2 * click + conversion)
        return JoinedRows(split, common, features, masks, both, verdict, parts)

    def _check_ids(self, verdict: LineVerdict, cells: pa.Array) -> np.ndarray:
        ids = whole_numbers(cells)
        verdict.reject(ids < 0, INVALID_ID, "sample_id should be a whole number", cells)
        seen = np.zeros(len(ids), bool)
        seen[ids >= 0] = self._seen.add(ids[ids >= 0])
        verdict.reject(seen, DUPLICATE_ID, "sample_id should be new in its file", cells)
        return ids

    @staticmethod
    def _check_labels(verdict: LineVerdict, *cells: pa.Array) -> tuple[np.ndarray, ...]:
        parsed = [parse_binary(column.view(pa.string())) for column in cells]
        for name, column in zip((CLICK, CONVERSION), cells, strict=True):
            empty = pc.equal(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
            verdict.reject(empty, MISSING_LABEL, f"{name} should be given", column)
        for name, column, (_, bad) in zip((CLICK, CONVERSION), cells, parsed, strict=True):
            verdict.reject(bad, INVALID_LABEL, f"{name} should be 0 or 1", column)
        (click, _), (conversion, _) = parsed
        verdict.reject(conversion > click, BROKEN_CHAIN, f"{CONVERSION} should be 0 where {CLICK} is 0", cells[1])
        return click, conversion

    def _find_common(self, verdict: LineVerdict, cells: pa.Array) -> np.ndarray:
        indices, written = hex_numbers(cells)
        common = np.where(written, self._common.lookup(indices), -1)
        verdict.reject(common < 0, MISSING_COMMON_ROW, f"{HEXADECIMAL}, of a row that was kept", cells)
        return common

    def _encode(self, features: Features, common: np.ndarray, labels: np.ndarray) -> tuple[list[bytes], ...]:
        examples, own = self._common.examples, features.encode(self._options.preparation)
        shared = [examples[row] if row >= 0 else b"" for row in common.tolist()]
        return shared, own, [_LABELS[label] for label in labels.tolist()]


def validates(ids: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which rows validate: `splitmix64(splitmix64(seed) ^ sample_id) < share * 2**64`, whatever else is in the log."""
    key = splitmix64(np.array([seed], np.uint64)) ^ ids.astype(np.uint64)
    return splitmix64(key) < np.uint64(int(share * 2**64))


def splitmix64(numbers: np.ndarray) -> np.ndarray:
    """The finalizer of Java's SplittableRandom, a bijection of uint64 that mixes all bits.

    `z = x + 0x9e3779b97f4a7c15; z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^ z >> 31`, modulo 2**64.
    """
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _count_rows(features: Features, which: np.ndarray) -> np.ndarray:
    """Of each field, how many rows have tokens of a mask."""
    rows = np.unique(features.row[which] * len(FIELDS) + features.field[which])
    return np.bincount(rows % len(FIELDS), minlength=len(FIELDS))
