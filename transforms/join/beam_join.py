"""Join of logs as a Beam transform: workers divide events by key into files, then join one partition at a time."""

import json
import posixpath
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from tfmtl.times import parse_time
from transforms.ingest.ingest_files import Progress
from transforms.ingest.rejects_file import RejectsFile
from transforms.join.events import TIME, read_events
from transforms.join.join_partition import IMPRESSIONS, join_partition, write_days
from transforms.join.options import JoinOptions
from transforms.join.partition_files import PartitionWriter, Piece, column_array, read_pieces
from transforms.join.report import READ, REJECTED, JoinReport
from transforms.readers.divide_file import MIN_RANGE_BYTES
from transforms.readers.file_range import FileRange
from transforms.storage.atomic import UNFINISHED
from transforms.storage.files import remove, write_text
from transforms.workers.ranges import DivideFiles, NumberedFile, range_name
from transforms.workers.threaded import ThreadedDoFn

REPORT = "join.json"
"""Name of the file with the counts of a join, which is written last."""
DAYS, EVENTS, REJECTS = "days", "events", "rejects"
"""Names of the folders of labelled rows, of divided events and of rejected rows."""
_PIECES, _COUNTS = "pieces", "counts"
_NEVER = -(2**62)


class JoinFiles(beam.PTransform):
    """Labels the impressions of a PCollection of `((log, number), (path,))`, and writes them by day.

    Each worker divides the events of a range of a file by the hash of their keys into the partitions of an Arrow file
    in `FOLDER/events`, so that only the places of the pieces travel. Another worker joins the events of one partition,
    and writes its rows to `FOLDER/days/DAY/part-PARTITION.parquet`. Rows, labels and their order do not depend on the
    ranges and the workers. Memory is that of one range's buffer and of one partition for each thread.

    Args:
        options: Options of the join.
        keep: Columns of the impressions that are written.
        root: Folder of the logs; names of folders below it are columns.
        folder: Folder to write to, which all workers reach.
        partitions: Number of partitions (`transforms.join.partition_files.choose_partitions`).
        range_bytes: Size of the ranges into which files are divided.
        threads: Number of ranges or partitions that a worker processes at a time.
        progress: Function to call with a range and the number of its bytes that are read; it can be pickled.
    """

    def __init__(
        self,
        options: JoinOptions,
        keep: tuple[str, ...],
        root: str,
        folder: str,
        partitions: int,
        range_bytes: int = MIN_RANGE_BYTES,
        threads: int = 1,
        progress: Progress | None = None,
    ):
        super().__init__()
        self._options, self._folder, self._threads, self._range_bytes = options, folder, threads, range_bytes
        self._divide = _DivideEvents(options, keep, root, folder, partitions, threads, progress)

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        """Returns the PCollection that is finished when `FOLDER/join.json` is written.

        Args:
            files: Files, each with the name of its log and a number that is unique among the files of the log.
        """
        ranges = files | DivideFiles(dict(self._options.logs), self._range_bytes)
        divided = ranges | "Events" >> beam.ParDo(self._divide).with_outputs(_PIECES, _COUNTS)
        counts = divided[_COUNTS] | "Counts" >> beam.CombineGlobally(_MergeCounts())
        end = counts | "End" >> beam.Map(_end, self._options)
        reports = (
            divided[_PIECES]
            | "Partitions" >> beam.GroupByKey()
            | "WithEnd" >> beam.Map(lambda one, end: (one[0], list(one[1]), end), beam.pvalue.AsSingleton(end))
            | "Spread" >> beam.Reshuffle()
            | "Join" >> beam.ParDo(_JoinPartitions(self._options, self._folder, self._threads))
            | "Sum" >> beam.CombineGlobally(_sum)
        )
        sides = (beam.pvalue.AsSingleton(reports), beam.pvalue.AsSingleton(end))
        return counts | "Report" >> beam.Map(_write, *sides, self._folder)


class _DivideEvents(ThreadedDoFn):
    def __init__(
        self,
        options: JoinOptions,
        keep: tuple[str, ...],
        root: str,
        folder: str,
        partitions: int,
        threads: int,
        progress: Progress | None,
    ):
        super().__init__(threads)
        self._options, self._keep, self._root, self._folder = options, keep, root, folder
        self._partitions, self._progress = partitions, progress

    def setup(self) -> None:
        self._lock = threading.Lock()

    def start_bundle(self) -> None:
        super().start_bundle()
        self._found: list[tuple[list[tuple[int, Piece]], JoinReport, int]] = []

    def work(self, element: tuple[NumberedFile, FileRange]) -> tuple[list[tuple[int, Piece]], JoinReport, int]:
        (log, number), part = element
        name = f"{log}-{range_name(number, part)}"
        staging = posixpath.join(self._folder, UNFINISHED)
        rejects = RejectsFile(posixpath.join(self._folder, REJECTS, f"{name}.jsonl"), staging)
        writer = PartitionWriter(log, posixpath.join(self._folder, EVENTS, name), self._partitions)
        keep = self._keep if log == IMPRESSIONS else ()
        read, rejected, latest = 0, 0, _NEVER
        for batch in read_events(part, self._options.logs[log], self._options.key, keep, self._root):
            writer.write(batch.columns)
            rejects.write(batch.rejects)
            read, rejected = read + batch.read, rejected + len(batch.rejects)
            with self._lock:
                if self._progress is not None and batch.position:
                    self._progress(part, batch.position)
            if batch.columns.num_rows:
                latest = max(latest, int(column_array(batch.columns, TIME).to_numpy().max()))
        pieces = writer.finish()
        rejects.finish()
        return pieces, JoinReport(events={log: {READ: read, REJECTED: rejected}}), latest

    def add(self, result: tuple[list[tuple[int, Piece]], JoinReport, int]) -> None:
        self._found.append(result)

    def outputs(self) -> Iterator[Any]:
        for pieces, report, latest in self._found:
            yield beam.pvalue.TaggedOutput(_COUNTS, GlobalWindows.windowed_value((report, latest)))
            for piece in pieces:
                yield beam.pvalue.TaggedOutput(_PIECES, GlobalWindows.windowed_value(piece))


class _JoinPartitions(ThreadedDoFn):
    def __init__(self, options: JoinOptions, folder: str, threads: int):
        super().__init__(threads)
        self._options, self._folder = options, folder

    def start_bundle(self) -> None:
        super().start_bundle()
        self._report = JoinReport()

    def work(self, element: tuple[int, list[Piece], int]) -> JoinReport:
        partition, pieces, end = element
        rows, report = join_partition(read_pieces(pieces), self._options, end)
        days = write_days(rows, posixpath.join(self._folder, DAYS), f"part-{partition:05d}", self._options.zone)
        return report.merge(JoinReport(days=days))

    def add(self, result: JoinReport) -> None:
        self._report = self._report.merge(result)

    def outputs(self) -> Iterator[Any]:
        yield GlobalWindows.windowed_value(self._report)


class _MergeCounts(beam.CombineFn):
    def create_accumulator(self) -> tuple[JoinReport, int]:
        return JoinReport(), _NEVER

    def add_input(
        self, mutable_accumulator: tuple[JoinReport, int], element: tuple[JoinReport, int]
    ) -> tuple[JoinReport, int]:
        return mutable_accumulator[0].merge(element[0]), max(mutable_accumulator[1], element[1])

    def merge_accumulators(self, accumulators: Iterable[tuple[JoinReport, int]]) -> tuple[JoinReport, int]:
        merged = self.create_accumulator()
        for one in accumulators:
            merged = self.add_input(merged, one)
        return merged

    def extract_output(self, accumulator: tuple[JoinReport, int]) -> tuple[JoinReport, int]:
        return accumulator


def _end(counts: tuple[JoinReport, int], options: JoinOptions) -> int:
    if options.end is None:
        return counts[1]
    end = parse_time(options.end)
    assert end is not None
    return end


def _sum(reports: Iterable[JoinReport]) -> JoinReport:
    total = JoinReport()
    for report in reports:
        total = total.merge(report)
    return total


def _write(counts: tuple[JoinReport, int], joined: JoinReport, end: int, folder: str) -> None:
    remove(posixpath.join(folder, EVENTS))
    report = counts[0].merge(joined)
    write_text(posixpath.join(folder, REPORT), json.dumps({"end": end, **report.to_dict()}, indent=1))
