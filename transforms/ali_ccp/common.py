"""Common rows of Ali-CCP: features that many rows of the skeleton share."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.ali_ccp.features import Features, find_invalid_weights, select_features
from transforms.ali_ccp.id_set import IdSet
from transforms.ali_ccp.lines import parse_lines
from transforms.ali_ccp.options import IngestOptions
from transforms.batches.reasons import DUPLICATE_ID, INVALID_ID, INVALID_WEIGHTS
from transforms.ingest.token_counts import SCHEMA
from transforms.readers.line_blocks import Block
from transforms.validation.rejections import RowRejections

INDEX = "common_feature_index"
"""Column of the skeleton and of the common rows that joins them."""
_COLUMNS = 1
_DIGITS = 16
_HEXADECIMAL_VALUES = np.full(256, 255, np.uint8)
_HEXADECIMAL_VALUES[list(b"0123456789abcdef")] = range(16)
_HEXADECIMAL_VALUES[list(b"ABCDEF")] = range(10, 16)
_DECODED_ROWS = 4096
HEXADECIMAL = f"{_DIGITS} hexadecimal digits"


class CommonRows:
    """Rows of a file of common features, in memory: their encoded bytes and about 60 bytes more per row.

    Args:
        examples: Features of each row as a serialized tf.Example.
        masks: Set of fields of each row (`Features.masks`), uint32, shape `(rows,)`.
        indices: common_feature_index of each row, uint64, shape `(rows,)`.
    """

    def __init__(self, examples: Sequence[bytes], masks: np.ndarray, indices: np.ndarray):
        self.examples = examples
        self.masks = masks
        self._order = np.argsort(indices)
        self._ascending = indices[self._order]

    def lookup(self, indices: np.ndarray) -> np.ndarray:
        """Looks up rows.

        Args:
            indices: common_feature_index of each row to look up, uint64, shape `(n,)`.

        Returns:
            Row of each index, int64, shape `(n,)`; -1 if there is none.
        """
        if not len(self._order):
            return np.full(len(indices), -1)
        position = np.minimum(np.searchsorted(self._ascending, indices), len(self._order) - 1)
        return np.where(self._ascending[position] == indices, self._order[position], -1)

    def count_tokens(self, repeats: np.ndarray) -> Iterator[tuple[str, pa.Table]]:
        """Counts the tokens of a log that holds each row a given number of times.

        Args:
            repeats: Number of times that the log holds each row, int64, shape `(rows,)`.

        Yields:
            Name of a feature, and tokens with their counts (`transforms.ingest.token_counts.SCHEMA`).
        """
        from tfx_bsl.coders import example_coder

        decoder = example_coder.ExamplesToRecordBatchDecoder()
        used = np.flatnonzero(repeats)
        for start in range(0, len(used), _DECODED_ROWS):
            rows = used[start : start + _DECODED_ROWS]
            batch = decoder.DecodeBatch([self.examples[row] for row in rows.tolist()])
            for name, lists in zip(batch.schema.names, batch.columns, strict=True):
                tokens = lists.flatten()
                if not pa.types.is_floating(tokens.type):
                    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
                    yield name, _count(tokens, repeats[rows][row])


class CommonReader:
    """Reads a file of common features, block by block.

    In addition to the reasons of `parse_lines`, a row is rejected if its index is not 16 hexadecimal digits
    (`invalid_id`) or repeats that of an earlier row (`duplicate_id`), or if a selected weight is not a finite number
    (`invalid_weights`).

    Args:
        source: Path of the file.
        options: Selection of fields and values.
    """

    def __init__(self, source: str, options: IngestOptions):
        self._source = source
        self._options = options
        self._seen = IdSet()
        self._examples: list[bytes] = []
        self._masks = [np.zeros(0, np.uint32)]
        self._indices = [np.zeros(0, np.uint64)]

    def read(self, block: Block) -> tuple[Features, RowRejections]:
        """Reads a block and stores its accepted rows.

        Args:
            block: Whole lines of the file.

        Returns:
            Features of the accepted rows, and rejections of the other rows.
        """
        preparation = self._options.preparation
        lines = parse_lines(block, _COLUMNS, self._source)
        column = lines.pieces.column(0)
        rejections = lines.rejections({INDEX: column})
        indices, is_hexadecimal = parse_hexadecimal(column)
        rejections.reject(~is_hexadecimal, INVALID_ID, HEXADECIMAL, INDEX)
        seen = np.zeros(len(indices), bool)
        seen[is_hexadecimal] = self._seen.add(indices[is_hexadecimal].view(np.int64))
        rejections.reject(seen, DUPLICATE_ID, "unique in its file", INDEX)
        features = select_features(lines.pieces, preparation, self._options.max_values)
        reject_invalid_weights(rejections, *find_invalid_weights(features, lines.pieces))
        accepted = rejections.accepted_mask
        features = features.filter(accepted[features.row])
        examples = features.encode(preparation)
        self._examples += [examples[row] for row in np.flatnonzero(accepted).tolist()]
        self._masks.append(features.masks()[accepted])
        self._indices.append(indices[accepted])
        return features, rejections

    def rows(self) -> CommonRows:
        """Returns all accepted rows."""
        return CommonRows(self._examples, np.concatenate(self._masks), np.concatenate(self._indices))


def reject_invalid_weights(rejections: RowRejections, mask: np.ndarray, values: pa.Array) -> None:
    """Rejects rows with a weight that is not a finite number.

    Args:
        rejections: Rejections that are extended.
        mask: Mask of the rows, bool, shape `(rows,)`.
        values: First invalid weight of each row, binary, shape `(rows,)`.
    """
    rejections.reject(mask, INVALID_WEIGHTS, "a finite number", "the value of a field", values)


def parse_hexadecimal(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses numbers of 16 hexadecimal digits.

    Args:
        column: Values, binary, shape `(rows,)`.

    Returns:
        The numbers, uint64, and the mask of the values that are such a number, bool; both of shape `(rows,)`.
    """
    valid = pc.equal(pc.binary_length(column), _DIGITS).to_numpy(zero_copy_only=False)
    text = b"".join(column.filter(pa.array(valid)).to_pylist())
    digits = _HEXADECIMAL_VALUES[np.frombuffer(text, np.uint8)].reshape(-1, _DIGITS)
    octets = np.ascontiguousarray(digits[:, ::2] << 4 | digits[:, 1::2])
    numbers = np.zeros(len(column), np.uint64)
    numbers[valid] = octets.view(">u8")[:, 0]
    valid[valid] = (digits < 16).all(1)
    return numbers, valid


def _count(tokens: pa.Array, repeats: np.ndarray) -> pa.Table:
    encoded = tokens.dictionary_encode()
    counts = np.bincount(encoded.indices.to_numpy(), repeats, len(encoded.dictionary))
    return pa.table([encoded.dictionary.cast(pa.binary()), counts.astype(np.int64)], schema=SCHEMA)
