"""Rejections of rows, each for the first reason that applies."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.rejects import format_csv_rows


class RowRejections:
    """Collects the reasons for which rows of a batch are rejected. A row keeps the first reason.

    Args:
        batch: Rows of a file.
        format_rows: Function from indices of rows to their texts (`Reject.text`). By default a text is the row's
            values as CSV.
    """

    def __init__(self, batch: RawBatch, format_rows: Callable[[np.ndarray], Sequence[str]] | None = None):
        self._batch = batch
        self._format_rows = format_rows
        self._reasons: list[tuple[str, str, pa.Array]] = []
        self._reason_index = np.full(len(batch.lines), -1, np.int32)

    def reject(
        self, mask: np.ndarray | pa.Array, reason: str, expected: str, column: str, values: pa.Array | None = None
    ) -> None:
        """Rejects rows; those that are rejected already keep their reason.

        Args:
            mask: Mask of the rows, bool, shape `(rows,)`.
            reason: One of `transforms.batches.reasons.REASONS`.
            expected: Expected value, as it follows "should be" in the detail of the reject.
            column: Name of the column whose value is not as expected.
            values: Received values, shape `(rows,)`. By default those of `column` in the batch.
        """
        if isinstance(mask, pa.Array):
            mask = mask.to_numpy(zero_copy_only=False)
        if mask.any():
            self._reason_index[mask & self.accepted_mask] = len(self._reasons)
            received = self._batch.column(column) if values is None else values
            self._reasons.append((reason, f"{column} should be {expected}", received))

    @property
    def source(self) -> str:
        """Path of the file."""
        return self._batch.source

    @property
    def accepted(self) -> np.ndarray:
        """Indices of the accepted rows, int64."""
        return np.flatnonzero(self.accepted_mask)

    @property
    def accepted_mask(self) -> np.ndarray:
        """Mask of the accepted rows, bool, shape `(rows,)`."""
        mask: np.ndarray = self._reason_index < 0
        return mask

    def rejects(self) -> list[Reject]:
        """Returns the rejected rows, in the order of the batch."""
        batch, rows = self._batch, np.flatnonzero(~self.accepted_mask)
        texts = format_csv_rows(batch.columns, rows) if self._format_rows is None else self._format_rows(rows)
        rejects = []
        for row, text in zip(rows.tolist(), texts, strict=True):
            reason, expected, values = self._reasons[self._reason_index[row]]
            detail = f"{expected}. Received: {_format_received(values[row].as_py())}"
            rejects.append(Reject(batch.source, int(batch.lines[row]), reason, detail, text))
        return rejects

    def all_rejects(self) -> list[Reject]:
        """Returns the rejected rows and those that the reader of the batch rejected, by line."""
        return sorted([*self._batch.rejects, *self.rejects()], key=lambda reject: reject.line)


def _format_received(value: Any) -> str:
    if value is None or value == b"":
        return "nothing"
    return repr(value.decode() if isinstance(value, bytes) else value)
