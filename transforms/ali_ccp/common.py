"""The common rows: features that many rows of the skeleton share, held in memory while these are read."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.ali_ccp.features import Features, bad_values, keep_features
from transforms.ali_ccp.id_set import IdSet
from transforms.ali_ccp.lines import cut_lines
from transforms.ali_ccp.options import IngestOptions
from transforms.ali_ccp.rejections import LineVerdict
from transforms.batches.reasons import DUPLICATE_ID, INVALID_ID, INVALID_WEIGHTS
from transforms.ingest.token_counts import SCHEMA
from transforms.readers.line_blocks import Block

_COLUMNS = 1
_DIGITS = 16
_HEX = np.full(256, 255, np.uint8)
_HEX[list(b"0123456789abcdef")] = range(16)
_HEX[list(b"ABCDEF")] = range(10, 16)
_DECODED_ROWS = 4096
HEXADECIMAL = f"common_feature_index should be {_DIGITS} hexadecimal digits"
FINITE = "the value of a field should be a finite number"


class CommonRows:
    """The rows of a file of common features, in memory: their bytes as they will be written, and about 60 more a row.

    Args:
        examples: of each row, its features as a serialized tf.Example.
        masks: of each row, the fields that it has (`Features.masks`); uint32 `(rows,)`.
        indices: of each row, its common_feature_index as a number; uint64 `(rows,)`.
    """

    def __init__(self, examples: Sequence[bytes], masks: np.ndarray, indices: np.ndarray):
        self.examples = examples
        self.masks = masks
        self._order = np.argsort(indices)
        self._ascending = indices[self._order]

    def lookup(self, indices: np.ndarray) -> np.ndarray:
        """The row of each common_feature_index, int64; -1 where there is none."""
        if not len(self._order):
            return np.full(len(indices), -1)
        place = np.minimum(np.searchsorted(self._ascending, indices), len(self._order) - 1)
        return np.where(self._ascending[place] == indices, self._order[place], -1)

    def count_tokens(self, repeats: np.ndarray) -> Iterator[tuple[str, pa.Table]]:
        """Of the features, tokens and how often they stand in a log that has row i `repeats[i]` times."""
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

    A row is rejected, beside the reasons of `cut_lines`, if its index is not written in 16 hexadecimal digits
    (`invalid_id`) or was there before (`duplicate_id`), or if a value that is kept is no number (`invalid_weights`).

    Args:
        source: the file.
        options: what is kept.
    """

    def __init__(self, source: str, options: IngestOptions):
        self._source = source
        self._options = options
        self._seen = IdSet()
        self._examples: list[bytes] = []
        self._masks = [np.zeros(0, np.uint32)]
        self._indices = [np.zeros(0, np.uint64)]

    def read(self, block: Block) -> tuple[Features, LineVerdict]:
        """Keeps the good rows of a block; returns their features, and what was said against the others."""
        preparation = self._options.preparation
        verdict = LineVerdict(cut_lines(block, _COLUMNS, self._source))
        pieces = verdict.lines.pieces
        cells = pieces.cell(0)
        indices, written = hex_numbers(cells)
        verdict.reject(~written, INVALID_ID, HEXADECIMAL, cells)
        seen = np.zeros(len(indices), bool)
        seen[written] = self._seen.add(indices[written].view(np.int64))
        verdict.reject(seen, DUPLICATE_ID, "common_feature_index should be new in its file", cells)
        features = keep_features(pieces, preparation, self._options.max_values)
        bad, values = bad_values(features, pieces)
        verdict.reject(bad, INVALID_WEIGHTS, FINITE, values)
        good = verdict.accepted
        features = features.take(good[features.row])
        examples = features.encode(preparation)
        self._examples += [examples[row] for row in np.flatnonzero(good).tolist()]
        self._masks.append(features.masks()[good])
        self._indices.append(indices[good])
        return features, verdict

    def rows(self) -> CommonRows:
        """All rows that were kept."""
        return CommonRows(self._examples, np.concatenate(self._masks), np.concatenate(self._indices))


def hex_numbers(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of 16 hexadecimal digits, uint64, and which cells are such."""
    good = pc.equal(pc.binary_length(cells), _DIGITS).to_numpy(zero_copy_only=False)
    text = b"".join(cells.filter(pa.array(good)).to_pylist())
    digits = _HEX[np.frombuffer(text, np.uint8)].reshape(-1, _DIGITS)
    octets = np.ascontiguousarray(digits[:, ::2] << 4 | digits[:, 1::2])
    numbers = np.zeros(len(cells), np.uint64)
    numbers[good] = octets.view(">u8")[:, 0]
    good[good] = (digits < 16).all(1)
    return numbers, good


def _count(tokens: pa.Array, repeats: np.ndarray) -> pa.Table:
    encoded = tokens.dictionary_encode()
    counts = np.bincount(encoded.indices.to_numpy(), repeats, len(encoded.dictionary))
    return pa.table([encoded.dictionary.cast(pa.binary()), counts.astype(np.int64)], schema=SCHEMA)
