"""Batches of rows as readers yield them, and rejected rows."""

import dataclasses
import json

import numpy as np
import pyarrow as pa

SPLITS = ("train", "eval", "test")
"""Names of the splits, in the order in which reports list them."""


@dataclasses.dataclass(frozen=True)
class Reject:
    """A rejected row.

    Attributes:
        source: Path of the file.
        line: 1-based number of the row's first line; in a format without lines, 1-based number of the row.
        reason: One of `transforms.batches.reasons.REASONS`.
        detail: Expected and received value, in the form "`x` should be ... Received: ...".
        text: Line as it stands in the file, or the values of the row that were read, as CSV.
    """

    source: str
    line: int
    reason: str
    detail: str
    text: str

    def to_json(self) -> str:
        """Returns the reject as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class RawBatch:
    """Rows of one file, parsed into columns, not yet validated.

    Attributes:
        columns: Columns of strings, in which null is a missing value, or of other types that
            `transforms.batches.column_types` supports, or of lists of these.
        lines: 1-based line numbers of the rows (see `Reject`), int64, shape `(rows,)`.
        source: Path of the file.
        rejects: Rows among or before these that could not be parsed.
        mismatched_columns: Names of the columns whose type differs from that of most rows of the file.
        position: Number of the file's stored bytes that have been read; 0 if it is not known.

    Raises:
        ValueError: If there is not one line number for each row.
    """

    columns: pa.Table
    lines: np.ndarray
    source: str
    rejects: tuple[Reject, ...] = ()
    mismatched_columns: frozenset[str] = frozenset()
    position: int = 0

    def __post_init__(self) -> None:
        if self.columns.num_rows != len(self.lines):
            raise ValueError(f"lines should be {self.columns.num_rows}, one for each row. Received: {len(self.lines)}")

    def column(self, name: str) -> pa.Array:
        """Returns a column as one array.

        Args:
            name: Name of the column.

        Raises:
            KeyError: If there is no column of that name.
        """
        column = self.columns.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # The type that `combine_chunks` returns depends on pyarrow's version.
            return column.chunk(0) if column.num_chunks else pa.array([], column.type)
        return column

    def replace(self, name: str, column: pa.Array) -> "RawBatch":
        """Returns the batch with new values in one column.

        Args:
            name: Name of the column.
            column: New values, one for each row.
        """
        columns = self.columns.set_column(self.columns.column_names.index(name), name, column)
        return dataclasses.replace(self, columns=columns)

    def take(self, rows: np.ndarray) -> "RawBatch":
        """Returns some of the rows, without the rejects.

        Args:
            rows: Indices of the rows, int64.
        """
        return RawBatch(
            self.columns.take(pa.array(rows)), self.lines[rows], self.source, mismatched_columns=self.mismatched_columns
        )
