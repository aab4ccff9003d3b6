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
        batch: Rows of all batches. Unless it is the only one, it has no rejects, and its lines are the positions of its
            rows, from 1.
    """

    def __init__(self, batches: Sequence[RawBatch]):
        self._batches = batches
        self._ends = np.cumsum([len(batch.lines) for batch in batches])
        self.batch = batches[0]
        if len(batches) > 1:
            table = pa.concat_tables([batch.columns for batch in batches]).combine_chunks()
            self.batch = RawBatch(table, np.arange(1, self._ends[-1] + 1), batches[0].source)

    def rejects(self, validated: ValidatedBatch) -> tuple[Reject, ...]:
        """Returns the rejected rows with their files and lines, in the order of the batches and of the lines.

        Args:
            validated: Validated rows of `batch`.
        """
        return tuple(reject for rejects in self._rejects(validated) for reject in rejects)

    def count(self, validated: ValidatedBatch, split: np.ndarray, kept: np.ndarray) -> dict[str, SourceReport]:
        """Returns the counts of the rows of each file.

        Args:
            validated: Validated rows of `batch`.
            split: Index of each accepted row's split in `SPLITS`, `(rows,)`.
            kept: Mask of the accepted rows that the sampling of negatives keeps, bool `(rows,)`.
        """
        index = self._batch_of(validated.raw.lines)
        cells = index * len(SPLITS) + split
        accepted = np.bincount(cells[kept], minlength=len(self._batches) * len(SPLITS)).reshape(-1, len(SPLITS))
        left_out = np.bincount(index[~kept], minlength=len(self._batches))
        reports: dict[str, SourceReport] = {}
        for i, (batch, rejects) in enumerate(zip(self._batches, self._rejects(validated), strict=True)):
            report = SourceReport(
                read=len(batch.lines) + len(batch.rejects),
                accepted={name: int(rows) for name, rows in zip(SPLITS, accepted[i], strict=True) if rows},
                rejected=dict(collections.Counter(reject.reason for reject in rejects)),
                left_out=int(left_out[i]),
            )
            reports[batch.source] = reports.get(batch.source, SourceReport()).merge(report)
        return reports

    def _batch_of(self, lines: np.ndarray) -> np.ndarray:
        """Returns the index of the batch of each row of `batch`, by its line."""
        if len(self._batches) == 1:
            return np.zeros(len(lines), np.int64)
        return np.searchsorted(self._ends, lines)

    def _rejects(self, validated: ValidatedBatch) -> list[Sequence[Reject]]:
        """Returns the rejected rows of each batch, by line."""
        if len(self._batches) == 1:
            return [validated.rejects]
        rejects: list[list[Reject]] = [list(batch.rejects) for batch in self._batches]
        for reject in validated.rejects:
            i = int(np.searchsorted(self._ends, reject.line))
            batch = self._batches[i]
            line = int(batch.lines[reject.line - 1 - self._ends[i] + len(batch.lines)])
            rejects[i].append(dataclasses.replace(reject, source=batch.source, line=line))
        return [sorted(one, key=lambda reject: reject.line) for one in rejects]
