"""What readers hand on (`RawBatch`), rows that are turned away (`Reject`), and the count of both (`IngestReport`)."""

import dataclasses
import json

import numpy as np
import pyarrow as pa

# Reasons of readers.
WRONG_COLUMN_COUNT = "wrong_column_count"
INVALID_ENCODING = "invalid_encoding"
UNKNOWN_KEY = "unknown_key"
INVALID_RATING = "invalid_rating"
INCOMPLETE_FEATURE = "incomplete_feature"
INVALID_ID = "invalid_id"
DUPLICATE_ID = "duplicate_id"
DUPLICATE_DAY = "duplicate_day"
MISSING_COMMON_ROW = "missing_common_row"
TRUNCATED_RECORD = "truncated_record"
CORRUPT_RECORD = "corrupt_record"
MALFORMED_EXAMPLE = "malformed_example"
# Reasons of the check, in the order in which they are looked for.
TYPE_MISMATCH = "type_mismatch"
MULTIPLE_VALUES = "multiple_values"
MISSING_LABEL = "missing_label"
INVALID_LABEL = "invalid_label"
BROKEN_CHAIN = "broken_chain"
MISSING_REQUIRED = "missing_required"
NOT_A_NUMBER = "not_a_number"
INVALID_WEIGHTS = "invalid_weights"
INVALID_TIME = "invalid_time"

REASONS: dict[str, str] = {
    WRONG_COLUMN_COUNT: "the line does not have as many cells as there are columns",
    INVALID_ENCODING: "the line, or a text of the row, is not UTF-8",
    TRUNCATED_RECORD: "the file ends within the record",
    CORRUPT_RECORD: "the record does not have its checksum",
    MALFORMED_EXAMPLE: "the record is no tf.Example",
    TYPE_MISMATCH: "a column is of another type than elsewhere in the file, and of no use",
    MULTIPLE_VALUES: "a column that has one value a row has several",
    UNKNOWN_KEY: "the row names a user or an item that the tables beside it do not hold",
    INVALID_RATING: "the rating is not on the scale",
    INCOMPLETE_FEATURE: "a feature lacks its field, its id or its value",
    INVALID_ID: "the id of the row is missing, or is not written as it should be",
    DUPLICATE_ID: "an earlier row of the file has the same id",
    DUPLICATE_DAY: "the entity has a row of that day already",
    MISSING_COMMON_ROW: "the row that holds the rest of its features is missing",
    MISSING_LABEL: "a label is missing",
    INVALID_LABEL: "a label is neither 0 nor 1, or a count is no whole number from 0 on",
    BROKEN_CHAIN: "a label is positive where the label of the task it follows is 0",
    MISSING_REQUIRED: "a required feature has no value",
    NOT_A_NUMBER: "a numerical feature, or a place of a sequence of numbers, is not a finite number",
    INVALID_WEIGHTS: "there is not one weight, a finite number, for each token",
    INVALID_TIME: "the time by which rows are split is missing or is not a number where the bounds are",
}

SPLITS = ("train", "eval", "test")


@dataclasses.dataclass(frozen=True)
class Reject:
    """A row that was turned away.

    Attributes:
        source: the file.
        line: 1-based number of the row's first line; of a file without lines, of the row.
        reason: one of `REASONS`.
        detail: what should have been there, and what was.
        text: the line as it was read, or the cells of the row that were read, as CSV.
    """

    source: str
    line: int
    reason: str
    detail: str
    text: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class RawBatch:
    """Rows of one file, cut into columns and not looked at any further.

    Attributes:
        columns: text, in which null is a missing value, or what `transforms.batches.cells` can use, lists of it too.
        lines: 1-based line numbers of the rows (see `Reject`), int64, shape `(rows,)`.
        source: the file.
        rejects: the rows met on the way that could not be cut into columns.
        mismatched_columns: columns that are of another type in these rows than in others of the file.
    """

    columns: pa.Table
    lines: np.ndarray
    source: str
    rejects: tuple[Reject, ...] = ()
    mismatched_columns: frozenset[str] = frozenset()

    def __post_init__(self):
        if self.columns.num_rows != len(self.lines):
            raise ValueError(f"lines should be {self.columns.num_rows}, one for each row. Received: {len(self.lines)}")

    def column(self, name: str) -> pa.Array:
        """The column in one piece. Raises `KeyError` if there is none of that name."""
        column = self.columns.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # What `combine_chunks` returns depends on the version of pyarrow.
            return column.chunk(0) if column.num_chunks else pa.array([], column.type)
        return column

    def replace(self, name: str, column: pa.Array) -> "RawBatch":
        """The rows with another column in place of one."""
        columns = self.columns.set_column(self.columns.column_names.index(name), name, column)
        return dataclasses.replace(self, columns=columns)

    def take(self, rows: np.ndarray) -> "RawBatch":
        """The rows of these indices, without the rejects."""
        return RawBatch(
            self.columns.take(pa.array(rows)), self.lines[rows], self.source, mismatched_columns=self.mismatched_columns
        )
