"""Calibration of a model's heads after training."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfmtl.calibration import LogitMap, fit_isotonic, fit_platt
from tfmtl.layers import LogitCalibration
from tfmtl.model_inputs import embedding_rows
from tfmtl.models.core.batches import prepare_batch
from tfmtl.models.core.embedded_features import EmbeddedFeatures
from tfmtl.models.core.heads import label_weights
from tfmtl.types import Features, Logits

_FITS = {"isotonic": fit_isotonic, "platt": fit_platt}
_ROWS_OF_A_SCENARIO = 200


class CalibratedHeads(EmbeddedFeatures):
    """Base of `MultiTaskModel` that calibrates the heads which the option `calibration` names.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    calibrations: dict[str, LogitCalibration]

    def serving_model(self) -> Any:
        """Returns the model whose weights and `score` are exported."""
        return self

    def make_calibrations(self) -> dict[str, LogitCalibration]:
        """Creates the layer of each calibrated head, with a group for each id of the scenario, by task name.

        A model that wraps the one which is served has none: the heads of that one are calibrated.
        """
        if self.serving_model() is not self:
            return {}
        scenario = self.spec.scenario
        groups = 1 if scenario is None else embedding_rows(self.spec, self.vocabulary_sizes)[scenario]
        methods = self.options.calibration_methods(self.spec)
        return {task: LogitCalibration(groups, name=f"calibration_{task}") for task in methods}

    def calibrated(self, logits: Logits, features: Features) -> Logits:
        """Returns the logits, those of calibrated heads after their maps.

        Args:
            logits: Logits by task name, each `(batch,)`.
            features: Transformed features by name.
        """
        group = features[self.spec.scenario] if self.spec.scenario and self.calibrations else None
        changed = {task: layer(logits[task], group) for task, layer in self.calibrations.items()}
        return {**logits, **changed}

    def calibrate(self, data: Iterable[Any]) -> dict[str, int]:
        """Fits the maps of the calibrated heads on rows on which the model was not trained.

        A head on the conditional space is fitted on the rows where the label of the previous task is 1, each with its
        weight. Maps that were fitted before are replaced. A head whose rows have too few events for a map keeps its
        logits, with a warning.

        Args:
            data: Batches of `(features, labels)` or `(features, labels, sample_weight)`, such as a `tf.data.Dataset`.

        Returns:
            Number of scenarios that have a map of their own, by the name of each task whose head is calibrated.
        """
        served = self.serving_model()
        if served is not self:
            return served.calibrate(data)  # type: ignore[no-any-return]
        if not self.calibrations:
            return {}
        columns = self._head_columns(data)
        counts = {}
        for task, layer in self.calibrations.items():
            method = self.options.calibration_methods(self.spec)[task]
            try:
                maps = self._fit_maps(_FITS[method], *columns[task])
            except ValueError as error:
                warnings.warn(f"the head of `{task}` is not calibrated: {error}", stacklevel=2)
                layer.set_maps({})
                continue
            shared = maps.pop(-1)
            layer.set_maps({group: maps.get(group, shared) for group in range(layer.groups)})
            counts[task] = len(maps)
        return counts

    def _head_columns(self, data: Iterable[Any]) -> dict[str, tuple[np.ndarray, ...]]:
        """Returns logits, labels, weights and scenario of the rows with a weight above 0, by calibrated task."""
        parts: dict[str, list[list[np.ndarray]]] = {task: [] for task in self.calibrations}
        for batch in data:
            features, labels, weights = prepare_batch(self.spec, batch)
            logits = self(features, training=False)
            group = features[self.spec.scenario] if self.spec.scenario else np.zeros(len(logits[next(iter(parts))]))
            for task, columns in parts.items():
                row_weights = label_weights(self.spec, task, self.spaces[task], labels, weights)
                arrays = [np.asarray(a) for a in (logits[task], labels[task], row_weights, group)]
                used = arrays[2] > 0
                columns.append([array[used] for array in arrays])
        return {task: tuple(map(np.concatenate, zip(*columns, strict=True))) for task, columns in parts.items()}

    def _fit_maps(
        self, fit: Any, logits: np.ndarray, labels: np.ndarray, weights: np.ndarray, groups: np.ndarray
    ) -> dict[int, LogitMap]:
        """Returns the map of all rows, by the key -1, and those of the scenarios with enough rows, by their id."""
        maps = {-1: fit(logits, labels, weights)}
        least = self.options.calibration_rows or _ROWS_OF_A_SCENARIO
        for group in np.unique(groups) if self.spec.scenario else ():
            rows = groups == group
            positive = np.count_nonzero(labels[rows])
            if min(positive, np.count_nonzero(rows) - positive) >= least:
                maps[int(group)] = fit(logits[rows], labels[rows], weights[rows])
        return maps
