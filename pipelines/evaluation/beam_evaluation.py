"""Evaluation by Beam: files are scored, their metrics are combined, and GAUC is computed after a shuffle by group."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.group_rows import Gaucs, divide, gaucs_of_part, sum_gaucs
from pipelines.evaluation.records import write_measured
from pipelines.evaluation.score_histograms import write_scores
from pipelines.evaluation.scored_batch import ScoredBatch, joined
from pipelines.evaluation.scoring import Scorer
from pipelines.progress.task import Task
from tfmtl.spec import DatasetSpec

_ROWS = 1 << 17
"""Number of rows that are added at once; batches and files may have fewer."""


class EvaluateFiles(beam.PTransform):
    """Scores the rows of files and writes the metrics of all outputs (`pipelines.evaluation.records`).

    Input is a PCollection of the names of TFRecord files.

    Args:
        spec: Spec of the dataset.
        candidate: Folder of the candidate's SavedModel.
        baseline: Folder of the served model's SavedModel; None if there is none.
        directory: Folder to write to.
    """

    def __init__(self, spec: DatasetSpec, candidate: str, baseline: str | None, directory: str):
        super().__init__()
        self._spec, self._candidate, self._baseline, self._directory = spec, candidate, baseline, directory

    def expand(self, files: Any) -> Any:
        """Returns the PCollection that is finished when the metrics are written."""
        scored = files | beam.Reshuffle() | beam.ParDo(_ScoreFiles(self._spec, self._candidate, self._baseline))
        evaluations = scored | "evaluations" >> beam.Filter(lambda one: isinstance(one, Evaluation))
        total = evaluations | beam.CombineGlobally(_Merge(self._spec))
        parts = scored | "parts" >> beam.Filter(lambda one: not isinstance(one, Evaluation))
        gaucs = parts | beam.GroupByKey() | beam.Map(gaucs_of_part, self._spec) | beam.CombineGlobally(sum_gaucs)
        start = files.pipeline | "start" >> beam.Create([self._directory])
        sides = (beam.pvalue.AsSingleton(total), beam.pvalue.AsSingleton(gaucs))
        return start | beam.Map(_write, *sides)


class _ScoreFiles(beam.DoFn):
    """Yields the evaluation of a bundle of files, and their rows in parts by group."""

    def __init__(self, spec: DatasetSpec, candidate: str, baseline: str | None):
        self._spec, self._candidate, self._baseline = spec, candidate, baseline
        self._scorer: Scorer | None = None
        self._task, self._rows = Task("evaluating", "rows"), 0

    def setup(self) -> None:
        """Loads the models."""
        self._scorer = Scorer(self._spec, self._candidate, self._baseline)

    def teardown(self) -> None:
        """Releases the models, which should not outlive TensorFlow at the end of the process."""
        self._scorer = None

    def start_bundle(self) -> None:
        """Begins an evaluation."""
        self._evaluation = Evaluation(self._spec)
        self._pending: list[ScoredBatch] = []

    def process(self, file: str) -> Iterator[Any]:
        """Yields pairs of a part's number and its rows."""
        assert self._scorer is not None
        for batch in self._scorer.batches(file):
            self._pending.append(batch)
            self._rows += len(batch.groups)
            self._task.update(self._rows)
            if sum(len(one.groups) for one in self._pending) >= _ROWS:
                yield from self._add_pending()

    def finish_bundle(self) -> Iterator[Any]:
        """Yields an `Evaluation`, and the remaining pairs."""
        for one in (*self._add_pending(), self._evaluation.compact()):
            yield GlobalWindows.windowed_value(one)

    def _add_pending(self) -> Iterator[tuple[int, ScoredBatch]]:
        if self._pending:
            batch, self._pending = joined(self._pending), []
            self._evaluation.add(batch)
            if self._spec.group_key:
                yield from divide(self._spec, batch)


class _Merge(beam.CombineFn):
    """Merges evaluations."""

    def __init__(self, spec: DatasetSpec):
        self._spec = spec

    def create_accumulator(self) -> Evaluation:
        return Evaluation(self._spec)

    def add_input(self, mutable_accumulator: Evaluation, element: Evaluation) -> Evaluation:
        mutable_accumulator.merge(element)
        return mutable_accumulator

    def merge_accumulators(self, accumulators: Iterable[Evaluation]) -> Evaluation:
        merged = self.create_accumulator()
        for one in accumulators:
            merged.merge(one)
        return merged

    def compact(self, accumulator: Evaluation) -> Evaluation:
        return accumulator.compact()

    def extract_output(self, accumulator: Evaluation) -> Evaluation:
        return accumulator.compact()


def _write(directory: str, evaluation: Evaluation, gaucs: Gaucs) -> None:
    write_measured(directory, evaluation.measured(gaucs))
    write_scores(directory, evaluation.scores())
