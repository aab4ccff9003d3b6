"""Evaluation of a model on batches of scored rows: accumulators of all outputs, and the metrics that they give."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipelines.evaluation.accumulator import SUMS, Accumulator
from pipelines.evaluation.block_statistics import BLOCKS, Estimate, area, ratio
from pipelines.evaluation.scored_batch import ScoredBatch
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
        places, index = _distinct(self._numbers(batch.scenarios, len(batch.groups)) * BLOCKS + batch.groups % BLOCKS)
        for output in self._spec.outputs:
            if output.name not in batch.scores:
                continue
            task = self._spec.task(output.task)
            rows = batch.rows(self._spec, output)
            accumulator = self._outputs.setdefault(output.name, Accumulator(task.kind != "binary"))
            baseline = batch.baseline.get(output.name)
            accumulator.add(
                places,
                index[rows],
                batch.labels[task.label][rows],
                batch.scores[output.name][rows],
                None if baseline is None else baseline[rows],
            )

    def merge(self, other: "Evaluation") -> None:
        """Adds the rows of another evaluation.

        Args:
            other: Evaluation with the same spec.
        """
        slices = np.array([self._slices.setdefault(name, len(self._slices)) for name in other._slices])
        for name, accumulator in other._outputs.items():
            mine = self._outputs.setdefault(name, Accumulator(accumulator.is_count))
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
        names = sorted(name for name in self._slices if name)
        found = []
        for number, name in [(None, b""), *((self._slices[name], name) for name in names)]:
            for output in self._spec.outputs:
                if output.name in self._outputs:
                    text = name.decode("utf-8", "backslashreplace")
                    found.append(_measure(self._outputs[output.name], output.name, text, number))
        if gaucs:
            found = [one if one.slice else _with_gauc(one, gaucs) for one in found]
        return found

    def _numbers(self, scenarios: np.ndarray | None, rows: int) -> np.ndarray:
        if scenarios is None:
            return np.zeros(rows, np.int64)
        index, names = pd.factorize(scenarios)  # Hashes; sorting objects takes ten times as long.
        numbers = [self._slices.setdefault(bytes(name), len(self._slices)) for name in names]
        slices: np.ndarray = np.array(numbers, np.int64)[index]
        return slices


def _distinct(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct places, sorted, and the index of each row's place among them."""
    if places.max(initial=0) > 4 * len(places):
        return np.unique(places, return_inverse=True)
    is_present = np.bincount(places) > 0
    return np.flatnonzero(is_present), (np.cumsum(is_present) - 1)[places]


def _measure(accumulator: Accumulator, output: str, name: str, number: int | None) -> Measured:
    sums = dict(zip(SUMS, accumulator.block_sums(number).T, strict=True))
    total = {key: float(values.sum()) for key, values in sums.items()}
    finite = sums["rows"] - sums["not_finite"]
    calibration = ratio(sums["score"], sums["label"] if finite.any() else 0 * finite)
    has_baseline = total["baseline_rows"] > 0
    common: dict[str, Any] = {
        "rows": int(total["rows"]),
        "positives": total["label"],
        "not_finite": int(total["not_finite"]),
        "lowest": accumulator.lowest if math.isfinite(accumulator.lowest) else math.nan,
        "highest": accumulator.highest if math.isfinite(accumulator.highest) else math.nan,
        "mean_score": ratio(sums["score"], finite).value,
        "mean_label": ratio(sums["label"], sums["rows"]).value,
        "calibration": calibration.value,
        "calibration_error": calibration.error,
    }
    if has_baseline:
        common["baseline_calibration"] = ratio(sums["baseline_score"], sums["label"]).value
    change: Estimate | None = None
    if accumulator.is_count:
        nmae, baseline = ratio(sums["error"], sums["label"]), ratio(sums["baseline_error"], sums["label"])
        common |= {"nmae": nmae.value, "smape": ratio(sums["term"], finite).value}
        if has_baseline:
            common["baseline_nmae"], change = baseline.value, nmae - baseline
    else:
        histograms = accumulator.histograms(number)
        auc = area(histograms[0])
        common |= {"auc": auc.value, "auc_error": auc.error, "log_loss": ratio(sums["loss"], finite).value}
        if has_baseline:
            baseline = area(histograms[1])
            common["baseline_auc"], change = baseline.value, auc - baseline
            common["baseline_log_loss"] = ratio(sums["baseline_loss"], sums["baseline_rows"]).value
    error = math.nan if change is None else change.error
    return Measured(output, name, accumulator.is_count, change_error=error, **common)


def _with_gauc(one: Measured, gaucs: Mapping[tuple[str, bool], GroupAUC]) -> Measured:
    empty = GroupAUC()
    return dataclasses.replace(
        one,
        gauc=gaucs.get((one.output, False), empty).value,
        baseline_gauc=gaucs.get((one.output, True), empty).value,
    )
