"""Evaluation by Beam: files are scored, their metrics are combined, and GAUC is computed after a shuffle by group."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np

from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.records import write_measured
from pipelines.evaluation.scored_batch import ScoredBatch
from pipelines.evaluation.scoring import Scorer
from tfmtl.metrics import GroupAUC, group_auc
from tfmtl.spec import DatasetSpec

GROUP_PARTS = 64
"""Number of parts into which the rows are divided by group; one part is in memory at a time."""
Gaucs = dict[tuple[str, bool], GroupAUC]


@dataclasses.dataclass(frozen=True)
class GroupRows:
    """Scored rows of some groups.

    Attributes:
        groups: Hash of each row's group, `(rows,)`.
        columns: Labels and scores of an output's rows, with their indices, by output and by whether the scores are
            those of the served model.
    """

    groups: np.ndarray
    columns: Mapping[tuple[str, bool], tuple[np.ndarray, np.ndarray, np.ndarray]]


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
        gaucs = parts | beam.GroupByKey() | beam.Map(_gaucs_of_part) | beam.CombineGlobally(_sum_gaucs)
        start = files.pipeline | "start" >> beam.Create([self._directory])
        sides = (beam.pvalue.AsSingleton(total), beam.pvalue.AsSingleton(gaucs))
        return start | beam.Map(_write, *sides)


class _ScoreFiles(beam.DoFn):
    """Yields the evaluation of a file, and its rows in parts by group."""

    def __init__(self, spec: DatasetSpec, candidate: str, baseline: str | None):
        self._spec, self._candidate, self._baseline = spec, candidate, baseline
        self._scorer: Scorer | None = None

    def setup(self) -> None:
        """Loads the models."""
        self._scorer = Scorer(self._spec, self._candidate, self._baseline)

    def teardown(self) -> None:
        """Releases the models, which should not outlive TensorFlow at the end of the process."""
        self._scorer = None

    def process(self, file: str) -> Iterator[Any]:
        """Yields an `Evaluation`, and pairs of a part's number and its rows."""
        assert self._scorer is not None
        evaluation = Evaluation(self._spec)
        for batch in self._scorer.batches(file):
            evaluation.add(batch)
            if self._spec.group_key:
                yield from _parts(self._spec, batch)
        yield evaluation.compact()


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


def _parts(spec: DatasetSpec, batch: ScoredBatch) -> Iterator[tuple[int, GroupRows]]:
    part = batch.groups // (2**62 // GROUP_PARTS)
    order = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[order], np.arange(GROUP_PARTS + 1))
    binary = [output for output in spec.outputs if spec.task(output.task).kind == "binary"]
    in_space = {output.name: np.zeros(len(part), bool) for output in binary}
    for output in binary:
        in_space[output.name][batch.rows(spec, output)] = True
    for number in range(GROUP_PARTS):
        rows = order[bounds[number] : bounds[number + 1]]
        if not len(rows):
            continue
        columns = {}
        for output in binary:
            kept = np.flatnonzero(in_space[output.name][rows])
            labels = batch.labels[spec.task(output.task).label][rows[kept]]
            for is_baseline, scores in enumerate((batch.scores, batch.baseline)):
                if output.name in scores:
                    columns[output.name, bool(is_baseline)] = (kept, labels, scores[output.name][rows[kept]])
        yield number, GroupRows(batch.groups[rows], columns)


def _gaucs_of_part(part: tuple[int, Iterable[GroupRows]]) -> Gaucs:
    rows = list(part[1])
    found: Gaucs = {}
    for key in {key for one in rows for key in one.columns}:
        pieces = [(one.groups[one.columns[key][0]], *one.columns[key][1:]) for one in rows if key in one.columns]
        groups, labels, scores = (np.concatenate(column) for column in zip(*pieces, strict=True))
        finite = np.isfinite(scores)
        found[key] = group_auc(labels[finite], scores[finite], groups[finite])
    return found


def _sum_gaucs(parts: Iterable[Gaucs]) -> Gaucs:
    total: Gaucs = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, GroupAUC()) + value
    return total


def _write(directory: str, evaluation: Evaluation, gaucs: Gaucs) -> None:
    write_measured(directory, evaluation.measured(gaucs))
