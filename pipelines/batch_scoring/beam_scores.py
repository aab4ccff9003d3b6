"""Scoring of files by Beam: each file is read by one worker, which writes a file of the same rows with their scores."""

import contextlib
import dataclasses
import io
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import apache_beam as beam

from pipelines.batch_scoring.file_scores import FileScorer
from pipelines.batch_scoring.model import ScoringModel
from pipelines.batch_scoring.report import ScoreReport
from pipelines.batch_scoring.writers import WRITERS
from pipelines.prediction.columns import choose_format
from pipelines.progress.task import Task
from transforms.batches.rejects import write_rejects
from transforms.readers.log_format import LogFormat
from transforms.storage.atomic import atomic_file
from transforms.storage.files import open_output


@dataclasses.dataclass(frozen=True)
class FilePair:
    """A file and where its scores go.

    Attributes:
        source: Path of the file.
        target: Path of the file to write.
        kind: End of the name by which the writer is chosen (`WRITERS`).
        rejects: Path of the JSON lines of rejected rows, which is written if there are any.
    """

    source: str
    target: str
    kind: str
    rejects: str


class ScoreFiles(beam.PTransform):
    """Scores files and writes a report of all of them.

    Input is a PCollection of `FilePair`.

    Args:
        model: Folder of the SavedModel.
        log_format: Format of the files; None for that of the model's log, or the default one.
        root: Folder of the files whose subfolders name columns.
        report: Path of the report (`ScoreReport.to_json`).
    """

    def __init__(self, model: str, log_format: LogFormat | None, root: str, report: str):
        super().__init__()
        self._report, self._scoring = report, _ScoreFile(model, log_format, root)

    def expand(self, pairs: Any) -> Any:
        """Returns the PCollection that is finished when the report is written."""
        reports = pairs | beam.Reshuffle() | beam.ParDo(self._scoring)
        return reports | beam.CombineGlobally(_merged) | beam.Map(_write, self._report)


class _ScoreFile(beam.DoFn):
    """Scores a file, and yields the counts of its rows."""

    def __init__(self, model: str, log_format: LogFormat | None, root: str):
        self._folder, self._format, self._root = model, log_format, root
        self._model: ScoringModel | None = None

    def setup(self) -> None:
        """Loads the model."""
        self._model = ScoringModel(self._folder)

    def teardown(self) -> None:
        """Releases the model, which should not outlive TensorFlow at the end of the process."""
        self._model = None

    def process(self, pair: FilePair) -> Iterator[ScoreReport]:
        """Writes the scores of a file; it has its final name only once all of its rows are written."""
        assert self._model is not None
        log_format = self._format or choose_format(pair.source, self._model.description)
        scorer = FileScorer(self._model, pair.source, log_format, self._root)
        report = ScoreReport(absent={pair.source: scorer.absent} if scorer.absent else {})
        progress = Task("scoring", "rows")
        with contextlib.ExitStack() as stack:
            path = stack.enter_context(atomic_file(pair.target))
            writer = stack.enter_context(contextlib.closing(WRITERS[pair.kind](path)))
            rejects: TextIO | None = None
            for batch in scorer.batches():
                writer.write(batch.rows)
                if batch.rejects:
                    rejects = rejects or stack.enter_context(io.TextIOWrapper(open_output(pair.rejects), "utf-8"))
                    write_rejects(batch.rejects, rejects)
                report = report.add(batch.rows.num_rows, batch.rejects)
                progress.update(report.read)
        yield report


def _merged(reports: Iterable[ScoreReport]) -> ScoreReport:
    total = ScoreReport()
    for one in reports:
        total = total.merge(one)
    return total


def _write(report: ScoreReport, path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(report.to_json())
