"""Batches of several files that are validated and encoded as one: a batch costs as much as thousands of rows."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import SPLITS, RawBatch, Reject
from transforms.batches.report import SourceReport
from transforms.validation.validate import ValidatedBatch

JOINED_BYTES = 8 << 20
"""Size from which a batch, or several together, are not joined with the next one."""


def joinable(batches: Iterable[RawBatch]) -> Iterator[list[RawBatch]]:
    """Groups successive batches that have equal columns and are smaller than `JOINED_BYTES`.

    Args:
        batches: Rows of one or several files.

    Yields:
        Groups of batches, which together are `batches` in their order.
    """
    group: list[RawBatch] = []
    size = 0
    for batch in batches:
        if group and not _are_alike(group[-1], batch):
            yield group
            group, size = [], 0
        group.append(batch)
        size += batch.columns.nbytes
        if size >= JOINED_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _are_alike(first: RawBatch, second: RawBatch) -> bool:
    if first.mismatched_columns or second.mismatched_columns:
        return False
    same: bool = first.columns.schema.equals(second.columns.schema)
    return same


class JoinedBatches:
    """One batch of the rows of several, whose rejected and accepted rows are those of their files again.

    Args:
        batches: Rows of one or several files, with equal columns.

    Attributes:
        batch: Rows of all batches, without their rejects. The lines are consecutive, from that of the first row on.
    """

    def __init__(self, batches: Sequence[RawBatch]):
        first = batches[0]
        self._batches = batches
        self._ends = np.cumsum([len(batch.lines) for batch in batches])
        self._first_line = int(first.lines[0]) if len(first.lines) else 1
        table = pa.concat_tables([batch.columns for batch in batches]).combine_chunks()
        lines = np.arange(self._first_line, self._first_line + self._ends[-1])
        self.batch = RawBatch(table, lines, first.source, mismatched_columns=first.mismatched_columns)

    def rejects(self, validated: ValidatedBatch) -> list[list[Reject]]:
        """Returns the rejected rows of each batch with their files and lines, by line.

        Args:
            validated: Validated rows of `batch`.
        """
        rejects = [list(batch.rejects) for batch in self._batches]
        for reject in validated.rejects:
            row = reject.line - self._first_line
            i = int(self._batch_of(row))
            batch = self._batches[i]
            line = int(batch.lines[row - self._ends[i] + len(batch.lines)])
            rejects[i].append(dataclasses.replace(reject, source=batch.source, line=line))
        return [sorted(one, key=lambda reject: reject.line) for one in rejects]

    def count(
        self, validated: ValidatedBatch, rejects: Sequence[Sequence[Reject]], split: np.ndarray, kept: np.ndarray
    ) -> dict[str, SourceReport]:
        """Returns the counts of the rows of each file.

        Args:
            validated: Validated rows of `batch`.
            rejects: Rejected rows of each batch.
            split: Index of each accepted row's split in `SPLITS`, `(rows,)`.
            kept: Mask of the accepted rows that the sampling of negatives keeps, bool `(rows,)`.
        """
        index = self._batch_of(validated.raw.lines - self._first_line)
        cells = index * len(SPLITS) + split
        accepted = np.bincount(cells[kept], minlength=len(self._batches) * len(SPLITS)).reshape(-1, len(SPLITS))
        left_out = np.bincount(index[~kept], minlength=len(self._batches))
        reports: dict[str, SourceReport] = {}
        for i, batch in enumerate(self._batches):
            report = SourceReport(
                read=len(batch.lines) + len(batch.rejects),
                accepted={name: int(rows) for name, rows in zip(SPLITS, accepted[i], strict=True) if rows},
                rejected=dict(collections.Counter(reject.reason for reject in rejects[i])),
                left_out=int(left_out[i]),
            )
            reports[batch.source] = reports.get(batch.source, SourceReport()).merge(report)
        return reports

    def _batch_of(self, rows: np.ndarray | int) -> np.ndarray:
        """Returns the index of the batch of each row, by its position in `batch`."""
        return np.searchsorted(self._ends, rows, side="right")
