"""Part of a file, or group of small files, that is read by itself."""

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class FileRange:
    """Part of a file, or several whole files.

    Attributes:
        path: Path of the file.
        number: Number of the range within the file, from 0.
        start: First byte of a text file, first row group of a Parquet file.
        end: End of the range, exclusive; None for the end of the file.
        first_line: 1-based number of the first line of a text file, of the first row of a Parquet file.
        following: Paths of further files, each of which is read as a whole after this one.
    """

    path: str
    number: int = 0
    start: int = 0
    end: int | None = None
    first_line: int = 1
    following: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True if the range is the whole file."""
        return self.start == 0 and self.end is None

    def single_files(self) -> Iterator["FileRange"]:
        """Yields the range of each file."""
        yield dataclasses.replace(self, following=())
        for path in self.following:
            yield FileRange(path)
