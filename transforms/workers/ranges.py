"""Division of the files of logs into ranges by the workers of a Beam job."""

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam

from transforms.readers.divide_file import MIN_RANGE_BYTES, count_range_lines, divide, with_first_lines
from transforms.readers.file_range import FileRange
from transforms.readers.log_format import LogFormat

NumberedFile = tuple[str, int]
"""Name of a log and number of a file, or of the first one of a group."""


class DivideFiles(beam.PTransform):
    """Divides the files of a PCollection of `((log, number), paths)` into ranges (`transforms.readers.divide_file`).

    Several `paths` are one range (`transforms.readers.file_groups`).

    Args:
        formats: Format of the files by the name of the log.
        range_bytes: Size of the ranges.
    """

    def __init__(self, formats: Mapping[str, LogFormat], range_bytes: int = MIN_RANGE_BYTES):
        super().__init__()
        self._formats, self._range_bytes = dict(formats), range_bytes

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        """Returns the PCollection of `((log, number), range)`, spread over the workers.

        Args:
            files: Tuples of paths, each with the name of its log and a number that is unique within the log.
        """
        return (
            files
            | "SpreadPaths" >> beam.Reshuffle()
            | "Divide" >> beam.FlatMap(_divide, self._formats, self._range_bytes)
            | "SpreadRanges" >> beam.Reshuffle()
            | "CountLines" >> beam.Map(_count_lines, self._formats)
            | "Files" >> beam.GroupByKey()
            | "FirstLines" >> beam.FlatMap(_with_first_lines)
            | "Spread" >> beam.Reshuffle()
        )


def range_name(number: int, part: FileRange) -> str:
    """Returns the numbers of a file and of its range for the names of what is written for it: `00017-00002`.

    Args:
        number: Number of the file.
        part: Range of the file.
    """
    return f"{number:05d}" if part.is_whole else f"{number:05d}-{part.number:05d}"


def _divide(
    files: tuple[NumberedFile, tuple[str, ...]], formats: Mapping[str, LogFormat], range_bytes: int
) -> Iterator[tuple[NumberedFile, FileRange]]:
    (log, number), (path, *following) = files
    ranges = [FileRange(path, following=tuple(following))] if following else divide(path, formats[log], range_bytes)
    for part in ranges:
        yield (log, number), part


def _count_lines(
    numbered: tuple[NumberedFile, FileRange], formats: Mapping[str, LogFormat]
) -> tuple[NumberedFile, tuple[FileRange, int]]:
    file, part = numbered
    return file, (part, count_range_lines(part, formats[file[0]]))


def _with_first_lines(
    file: tuple[NumberedFile, Iterable[tuple[FileRange, int]]],
) -> Iterator[tuple[NumberedFile, FileRange]]:
    numbered, ranges = file
    for part in with_first_lines(ranges):
        yield numbered, part
