"""Evaluation of a model on batches of scored rows: accumulators of all outputs, and the metrics that they give."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.evaluation.accumulator import Accumulator
from pipelines.evaluation.block_statistics import BLOCKS, distinct
from pipelines.evaluation.score_histograms import Scores, score_histograms
from pipelines.evaluation.scored_batch import ScoredBatch
from pipelines.evaluation.slice_metrics import slice_metrics
from pipelines.gates.measured import Measured
from tfmtl.metrics.gauc import GroupAUC
from tfmtl.spec import DatasetSpec


class Evaluation:
    """Accumulators of the outputs of a spec, whose slices are the scenarios that the rows have.

    Args:
        spec: Spec of the dataset.

    Example:
        >>> import numpy as np
        >>> from pipelines.evaluation.evaluation import Evaluation
        >>> from pipelines.evaluation.scored_batch import ScoredBatch
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> labels, scores = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.8, 0.4, 0.3])
        >>> evaluation = Evaluation(spec)
        >>> evaluation.add(ScoredBatch({"clicked": labels}, {"ctr": scores}, {}, None, np.arange(4)))
        >>> evaluation.measured()[0].auc
        0.75
    """

    def __init__(self, spec: DatasetSpec):
        self._spec = spec
        self._slices: dict[bytes, int] = {b"": 0}
        self._outputs: dict[str, Accumulator] = {}

    def add(self, batch: ScoredBatch) -> None:
        """Adds the rows of a batch. An output without scores is left out.

        Args:
            batch: Scored rows.
        """
        places, index = distinct(self._numbers(batch.scenarios, len(batch.groups)) * BLOCKS + batch.groups % BLOCKS)
        for output in self._spec.outputs:
            if output.name not in batch.scores:
                continue
            task = self._spec.task(output.task)
            rows = batch.rows(self._spec, output)
            empty = Accumulator(is_count=task.kind != "binary", is_value=task.kind == "value")
            accumulator = self._outputs.setdefault(output.name, empty)
            baseline = batch.baseline.get(output.name)
            accumulator.add(
                places,
                index[rows],
                batch.labels[task.label][rows],
                batch.scores[output.name][rows],
                None if baseline is None else baseline[rows],
                None if batch.weights is None else batch.weights[rows],
            )

    def merge(self, other: "Evaluation") -> None:
        """Adds the rows of another evaluation.

        Args:
            other: Evaluation with the same spec.
        """
        slices = np.array([self._slices.setdefault(name, len(self._slices)) for name in other._slices])
        for name, accumulator in other._outputs.items():
            mine = self._outputs.setdefault(name, Accumulator(accumulator.is_count, accumulator.is_value))
            mine.merge(accumulator, slices)

    def compact(self) -> "Evaluation":
        """Joins what has been added, so that the evaluation takes little memory, and returns the evaluation itself."""
        for accumulator in self._outputs.values():
            accumulator.compact()
        return self

    def measured(self, gaucs: Mapping[tuple[str, bool], GroupAUC] | None = None) -> list[Measured]:
        """Returns the metrics of each output on all rows, then in each scenario by name.

        Args:
            gaucs: Sums of GAUC on all rows by output, and by whether they are those of the served model.
        """
        names = [name.decode("utf-8", "backslashreplace") for name in self._slices]
        outputs = [output.name for output in self._spec.outputs if output.name in self._outputs]
        rows = [slice_metrics(self._outputs[output], output, names) for output in outputs]
        order = [number for _, number in sorted(self._slices.items())]  # The first one is that of all rows.
        found = [of_output[number] for number in order for of_output in rows]
        if gaucs:
            found = [one if one.slice else _with_gauc(one, gaucs) for one in found]
        return found

    def scores(self) -> Scores:
        """Returns the histograms of the scores of each binary output on all rows."""
        found = {name: score_histograms(accumulator) for name, accumulator in self._outputs.items()}
        return {name: histograms for name, histograms in found.items() if histograms}

    def _numbers(self, scenarios: np.ndarray | None, rows: int) -> np.ndarray:
        if scenarios is None:
            return np.zeros(rows, np.int64)
        index, names = pd.factorize(scenarios)  # Hashes; sorting objects takes ten times as long.
        numbers = [self._slices.setdefault(bytes(name), len(self._slices)) for name in names]
        slices: np.ndarray = np.array(numbers, np.int64)[index]
        return slices


def _with_gauc(one: Measured, gaucs: Mapping[tuple[str, bool], GroupAUC]) -> Measured:
    empty = GroupAUC()
    return dataclasses.replace(
        one,
        gauc=gaucs.get((one.output, False), empty).value,
        baseline_gauc=gaucs.get((one.output, True), empty).value,
    )
