"""Rows of the skeleton: an id, the labels, the features of item and impression, and the index of a common row."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.ali_ccp.common import HEXADECIMAL, INDEX, CommonRows, parse_hexadecimal, reject_invalid_weights
from transforms.ali_ccp.features import Features, find_invalid_weights, select_features
from transforms.ali_ccp.fields import CLICK, CONVERSION, FIELDS
from transforms.ali_ccp.id_set import IdSet
from transforms.ali_ccp.lines import parse_integers, parse_lines
from transforms.ali_ccp.options import IngestOptions
from transforms.batches.labels import parse_labels
from transforms.batches.raw_batch import SPLITS
from transforms.batches.reasons import (
    BROKEN_CHAIN,
    DUPLICATE_ID,
    INVALID_ID,
    INVALID_LABEL,
    MISSING_COMMON_ROW,
    MISSING_LABEL,
)
from transforms.examples.from_tokens import encode_numbers
from transforms.readers.line_blocks import Block
from transforms.validation.rejections import RowRejections

SAMPLE_ID = "sample_id"
_COLUMNS = (SAMPLE_ID, CLICK, CONVERSION, INDEX)
_TRAIN, _EVAL, _TEST = range(len(SPLITS))
_LABELS = [encode_numbers({CLICK: click, CONVERSION: conversion}) for click in (0, 1) for conversion in (0, 1)]


@dataclasses.dataclass(frozen=True)
class JoinedRows:
    """Skeleton rows of a block, joined with their common rows.

    Attributes:
        split: Index of each row's split in `SPLITS`, -1 for a rejected row; int8, shape `(rows,)`.
        common: Index of each row's common row, int64, shape `(rows,)`.
        features: Features of the skeleton, without those of rejected rows and those that the common row has too.
        masks: Set of fields of each row and its common row (`Features.masks`), uint32, shape `(rows,)`.
        in_both: Number of rows in which each field is in the skeleton and in the common row, int64, shape
            `(len(FIELDS),)`.
        rejections: Rejections of rows.
        parts: Parts of each row's serialized tf.Example: the common features, those of the skeleton, and the labels.
    """

    split: np.ndarray
    common: np.ndarray
    features: Features
    masks: np.ndarray
    in_both: np.ndarray
    rejections: RowRejections
    parts: tuple[list[bytes], ...]

    def examples(self, rows: np.ndarray) -> list[bytes]:
        """Returns serialized tf.Examples.

        Args:
            rows: Indices of the rows, int64.
        """
        common, skeleton, labels = self.parts
        return [common[row] + skeleton[row] + labels[row] for row in rows.tolist()]


class SkeletonReader:
    """Reads a file of the skeleton, block by block.

    In addition to the reasons of `parse_lines`, a row is rejected for the first of the following reasons: `invalid_id`
    (sample_id is not an integer), `duplicate_id` (sample_id repeats that of an earlier row), `missing_label`,
    `invalid_label`, `broken_chain` (a conversion without a click), `missing_common_row`, and `invalid_weights` (a
    selected weight is not a finite number).

    Args:
        source: Path of the file.
        common: Common rows of the file.
        options: Selection of fields, of values and of the rows of the eval split.
        test: Whether the rows form the test split; else they form the train and eval splits.
    """

    def __init__(self, source: str, common: CommonRows, options: IngestOptions, test: bool):
        self._source = source
        self._common = common
        self._options = options
        self._test = test
        self._seen = IdSet()

    def read(self, block: Block) -> JoinedRows:
        """Reads the rows of a block and joins them with their common rows.

        Args:
            block: Whole lines of the file.
        """
        lines = parse_lines(block, len(_COLUMNS), self._source)
        columns = {name: lines.pieces.column(i) for i, name in enumerate(_COLUMNS)}
        rejections = lines.rejections(columns)
        ids = self._validate_ids(rejections, columns[SAMPLE_ID])
        click, conversion = self._validate_labels(rejections, columns)
        common = self._find_common(rejections, columns[INDEX])
        features = select_features(lines.pieces, self._options.preparation, self._options.max_values)
        reject_invalid_weights(rejections, *find_invalid_weights(features, lines.pieces))
        common_masks = np.append(self._common.masks, np.uint32(0))[common]  # Index -1 selects a row without fields.
        is_repeated = (common_masks[features.row] >> features.field) & 1 == 1
        is_accepted = rejections.accepted_mask[features.row]
        in_both = _count_rows(features, is_repeated & is_accepted)
        features = features.filter(is_accepted & ~is_repeated)
        split = np.full(len(ids), _TEST if self._test else _TRAIN, np.int8)
        if not self._test:
            split[is_eval_row(ids, self._options.eval, self._options.seed)] = _EVAL
        split[~rejections.accepted_mask] = -1
        masks = features.masks() | common_masks
        parts = self._encode(features, common, 2 * click + conversion)
        return JoinedRows(split, common, features, masks, in_both, rejections, parts)

    def _validate_ids(self, rejections: RowRejections, column: pa.Array) -> np.ndarray:
        """Returns the sample_id of each row, int64, shape `(rows,)`; -1 if it is invalid."""
        ids = parse_integers(column)
        rejections.reject(ids < 0, INVALID_ID, "an integer >= 0", SAMPLE_ID)
        seen = np.zeros(len(ids), bool)
        seen[ids >= 0] = self._seen.add(ids[ids >= 0])
        rejections.reject(seen, DUPLICATE_ID, "unique in its file", SAMPLE_ID)
        return ids

    @staticmethod
    def _validate_labels(rejections: RowRejections, columns: dict[str, pa.Array]) -> tuple[np.ndarray, np.ndarray]:
        """Returns click and conversion of each row, int64, shape `(rows,)`."""
        labels = (CLICK, CONVERSION)
        parsed = [parse_labels(columns[label].view(pa.string())) for label in labels]
        for label in labels:
            missing = pc.equal(pc.binary_length(columns[label]), 0)
            rejections.reject(missing, MISSING_LABEL, "given", label)
        for label, (_, invalid) in zip(labels, parsed, strict=True):
            rejections.reject(invalid, INVALID_LABEL, "0 or 1", label)
        (click, _), (conversion, _) = parsed
        rejections.reject(conversion > click, BROKEN_CHAIN, f"0 where {CLICK} is 0", CONVERSION)
        return click, conversion

    def _find_common(self, rejections: RowRejections, column: pa.Array) -> np.ndarray:
        """Returns the index of each row's common row, int64, shape `(rows,)`; -1 if there is none."""
        indices, is_hexadecimal = parse_hexadecimal(column)
        common = np.where(is_hexadecimal, self._common.lookup(indices), -1)
        rejections.reject(common < 0, MISSING_COMMON_ROW, f"{HEXADECIMAL}, the index of an accepted common row", INDEX)
        return common

    def _encode(self, features: Features, common: np.ndarray, labels: np.ndarray) -> tuple[list[bytes], ...]:
        """Returns the parts of each row's serialized tf.Example."""
        common_examples, skeleton_parts = self._common.examples, features.encode(self._options.preparation)
        common_parts = [common_examples[row] if row >= 0 else b"" for row in common.tolist()]
        return common_parts, skeleton_parts, [_LABELS[label] for label in labels.tolist()]


def is_eval_row(ids: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Returns the mask of the rows of the eval split: `splitmix64(splitmix64(seed) ^ sample_id) < share * 2**64`.

    Args:
        ids: sample_id of each row, int64, shape `(rows,)`.
        share: Share of the rows in the eval split.
        seed: Seed of the split.
    """
    key = splitmix64(np.array([seed], np.uint64)) ^ ids.astype(np.uint64)
    mask: np.ndarray = splitmix64(key) < np.uint64(int(share * 2**64))
    return mask


def splitmix64(numbers: np.ndarray) -> np.ndarray:
    """Applies the finalizer of Java's SplittableRandom, a bijection of uint64 that mixes all bits.

    `z = x + 0x9e3779b97f4a7c15; z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^ z >> 31`, modulo 2**64.

    Args:
        numbers: Integers, uint64.

    Returns:
        Hashes, uint64, of the shape of `numbers`.
    """
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashes: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return hashes


def _count_rows(features: Features, mask: np.ndarray) -> np.ndarray:
    """Counts the rows that have tokens of the mask, for each field; int64, shape `(len(FIELDS),)`."""
    row_fields = np.unique(features.row[mask] * len(FIELDS) + features.field[mask])
    return np.bincount(row_fields % len(FIELDS), minlength=len(FIELDS))
