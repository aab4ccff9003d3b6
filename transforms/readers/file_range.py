"""Part of a file that is read by itself."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class FileRange:
    """Part of a file.

    Attributes:
        path: Path of the file.
        number: Number of the range within the file, from 0.
        start: First byte of a text file, first row group of a Parquet file.
        end: End of the range, exclusive; None for the end of the file.
        first_line: 1-based number of the first line of a text file, of the first row of a Parquet file.
    """

    path: str
    number: int = 0
    start: int = 0
    end: int | None = None
    first_line: int = 1

    @property
    def is_whole(self) -> bool:
        """True if the range is the whole file."""
        return self.start == 0 and self.end is None
