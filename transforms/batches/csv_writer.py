"""Writer of CSV files, table by table."""

import pathlib

import pyarrow as pa
import pyarrow.csv

_BATCH_ROWS = 65_536


class CsvFile:
    """Writes tables to a CSV file; the first table names the columns. It is a context manager.

    Args:
        path: Path of the file.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._writer: pa.csv.CSVWriter | None = None

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Appends the rows of a table.

        Args:
            table: Table with the columns of the first one.
        """
        if self._writer is None:
            options = pa.csv.WriteOptions(batch_size=_BATCH_ROWS)
            self._writer = pa.csv.CSVWriter(str(self._path), table.schema, write_options=options)
        self._writer.write_table(table)
