"""Ingestion as a Beam transform: a range of a file, or a group of small files, is a unit of work; only counts move."""

import posixpath
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindows

from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.examples.shards import ShardWriter
from transforms.ingest.beam_vocabularies import pack
from transforms.ingest.ingest_files import IngestedBatch, Progress, ingest_range
from transforms.ingest.manifest import REJECTS
from transforms.ingest.rejects_file import RejectsFile
from transforms.ingest.sampling import SAMPLE, Sampler
from transforms.ingest.token_counts import TokenCounter
from transforms.readers.divide_file import MIN_RANGE_BYTES
from transforms.readers.file_range import FileRange
from transforms.readers.log_format import LogFormat
from transforms.storage.atomic import UNFINISHED
from transforms.workers.ranges import DivideFiles, NumberedFile, range_name
from transforms.workers.threaded import ThreadedDoFn

REPORT, COUNTS = "report", "counts"


class IngestPaths(beam.PTransform):
    """Writes the rows of a PCollection of `(paths, number)`, and emits counts.

    Each worker writes the rows of a range (`transforms.readers.divide_file`) to shards
    (`transforms.examples.shards.ShardWriter`) that are named by the numbers of the paths and of the range, in the
    splits `SPLITS` and `sample`. In the order of their names, the shards of a split hold the rows in the order of the
    files, however the files are divided. Several paths are read as one range (`transforms.readers.file_groups`).

    The rejected rows of a range are written to `rejects-PATHS.jsonl` or `rejects-PATHS-RANGE.jsonl`, by the same
    numbers.

    The output is a dict of PCollections: `report` holds one `IngestReport` of all paths together; `counts` the token
    counts of each bundle's training rows, as the input of `transforms.ingest.beam_vocabularies.WriteVocabularies`.

    Args:
        spec: Spec of the dataset.
        folder: Parent folder of the splits.
        log_format: Format of the files.
        root: Folder of the log; names of folders below it are columns. None if no folder's name is a column.
        sampling_step: The sample holds one in `sampling_step` rows of each range and split.
        progress: Function to call with a range and the number of its bytes that are read; it can be pickled.
        range_bytes: Size of the ranges into which files are divided.
        threads: Number of ranges that a worker reads at a time. Arrow, NumPy and zlib release Python's lock.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        folder: str,
        log_format: LogFormat,
        root: str | None = None,
        sampling_step: int = 1,
        progress: Progress | None = None,
        range_bytes: int = MIN_RANGE_BYTES,
        threads: int = 1,
    ):
        super().__init__()
        self._arguments = (spec.to_json(), folder, log_format, root, sampling_step, progress, threads)
        self._log_format, self._range_bytes = log_format, range_bytes

    def expand(self, paths: beam.PCollection) -> dict[str, beam.PCollection]:
        """Applies the transform.

        Args:
            paths: Pairs of a tuple of paths and a number that is unique to it and grows in the order of the files.

        Returns:
            PCollections by name: `report` and `counts`.
        """
        outputs = (
            paths
            | "Number" >> beam.Map(lambda pair: (("", pair[1]), pair[0]))
            | "Ranges" >> DivideFiles({"": self._log_format}, self._range_bytes)
            | "Ingest" >> beam.ParDo(_Ingest(*self._arguments)).with_outputs(REPORT, COUNTS)
        )
        reports = outputs[REPORT] | "MergeReports" >> beam.CombineGlobally(_MergeReports())
        return {REPORT: reports, COUNTS: outputs[COUNTS]}


TokenCounts = Mapping[str, pa.Table]


class _Ingest(ThreadedDoFn):
    def __init__(
        self,
        spec: str,
        folder: str,
        log_format: LogFormat,
        root: str | None,
        sampling_step: int,
        progress: Progress | None,
        threads: int,
    ):
        super().__init__(threads)
        self._spec_text = spec
        self._folder = folder
        self._log_format = log_format
        self._root = root
        self._sampling_step = sampling_step
        self._progress = progress

    def setup(self) -> None:
        self._spec = DatasetSpec.from_yaml(self._spec_text)
        self._lock = threading.Lock()

    def start_bundle(self) -> None:
        super().start_bundle()
        self._report, self._counter = IngestReport(), TokenCounter(self._spec)

    def outputs(self) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput(REPORT, GlobalWindows.windowed_value(self._report))
        for name, counts in self._counter.counts().items():
            yield beam.pvalue.TaggedOutput(COUNTS, GlobalWindows.windowed_value((name, pack(counts))))

    def add(self, result: tuple[IngestReport, TokenCounts]) -> None:
        report, counts = result
        self._report = self._report.merge(report)
        for name, table in counts.items():
            self._counter.add_counts(name, table)

    def _note(self, part: FileRange, done: int) -> None:
        with self._lock:  # Ranges are read by several threads.
            if self._progress is not None:
                self._progress(part, done)

    def work(self, element: tuple[NumberedFile, FileRange]) -> tuple[IngestReport, TokenCounts]:
        """Reads and writes a range, and returns the counts of its rows and tokens."""
        (_, number), part = element
        name = range_name(number, part)
        writer = ShardWriter(self._folder, name)
        rejects = RejectsFile(posixpath.join(self._folder, f"{REJECTS}-{name}.jsonl"), f"{self._folder}/{UNFINISHED}")
        samplers = {split: Sampler(self._sampling_step) for split in SPLITS}
        counter, report = TokenCounter(self._spec), IngestReport()
        with ThreadPoolExecutor(1) as thread:
            writing: Future[None] | None = None
            for batch in ingest_range(part, self._spec, self._log_format, self._root, self._note):
                if writing is not None:
                    writing.result()  # A batch is written while the next one is read.
                writing = thread.submit(self._write, batch, writer, samplers)
                counter.add(batch.typed["train"])
                rejects.write(batch.rejects)
                report = report.merge(batch.report)
            if writing is not None:
                writing.result()
        writer.finish()
        rejects.finish()
        return report, counter.counts()

    @staticmethod
    def _write(batch: IngestedBatch, writer: ShardWriter, samplers: Mapping[str, Sampler]) -> None:
        for split, examples in batch.examples.items():
            writer.write({split: examples, SAMPLE: samplers[split].sample(batch.typed[split], examples)})


class _MergeReports(beam.CombineFn):
    def create_accumulator(self) -> IngestReport:
        return IngestReport()

    def add_input(self, mutable_accumulator: IngestReport, element: IngestReport) -> IngestReport:
        return mutable_accumulator.merge(element)

    def merge_accumulators(self, accumulators: Iterable[IngestReport]) -> IngestReport:
        merged = IngestReport()
        for report in accumulators:
            merged = merged.merge(report)
        return merged

    def extract_output(self, accumulator: IngestReport) -> IngestReport:
        return accumulator
