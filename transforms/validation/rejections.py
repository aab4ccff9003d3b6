"""Which rows of a batch are rejected, each for the first reason that was found."""

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.rejects import as_csv


class RowRejections:
    """Collects reasons against the rows of a batch; a row keeps the first one.

    Args:
        batch: whose rows are judged.
    """

    def __init__(self, batch: RawBatch):
        self._batch = batch
        self._reasons: list[tuple[str, str, pa.Array]] = []
        self._charge = np.full(len(batch.lines), -1, np.int32)

    def reject(self, mask: np.ndarray | pa.Array, reason: str, expected: str, column: str) -> None:
        """Rejects the rows of the mask for `reason`: `column` holds something else than what is `expected`."""
        if isinstance(mask, pa.Array):
            mask = mask.to_numpy(zero_copy_only=False)
        if mask.any():
            self._charge[mask & (self._charge < 0)] = len(self._reasons)
            self._reasons.append((reason, f"{column} should be {expected}", self._batch.column(column)))

    @property
    def accepted(self) -> np.ndarray:
        """The indices of the rows against which nothing was said."""
        return np.flatnonzero(self._charge < 0)

    def rejects(self) -> list[Reject]:
        """The other rows, in order."""
        rows = np.flatnonzero(self._charge >= 0)
        rejects = []
        for row, text in zip(rows.tolist(), as_csv(self._batch.columns, rows), strict=True):
            reason, expected, column = self._reasons[self._charge[row]]
            value = column[row].as_py()
            detail = f"{expected}. Received: {'nothing' if value is None else repr(value)}"
            rejects.append(Reject(self._batch.source, int(self._batch.lines[row]), reason, detail, text))
        return rejects
