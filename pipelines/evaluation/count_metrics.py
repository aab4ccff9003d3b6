"""Errors of predicted counts as TFMA metrics, which can be sliced, compared with a baseline and given thresholds.

TFMA's own `MeanAbsoluteError` (0.47) is not used: it counts the first of several accumulators twice when it merges a
list of them.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

NMAE, SMAPE = "nmae", "smape"
"""Names of the metrics, by which the combiner also tells them apart."""


@dataclasses.dataclass
class _Sums:
    """Weighted sums over rows: of the absolute errors, the labels, the terms of SMAPE, and of the weights."""

    errors: float = 0.0
    labels: float = 0.0
    terms: float = 0.0
    weights: float = 0.0

    def add(self, other: "_Sums") -> "_Sums":
        """Returns the sums over the rows of both."""
        both = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return _Sums(*(one + another for one, another in both))


class _SumsOfRows(beam.CombineFn):
    """Computes one metric from sums over the rows of a slice.

    Args:
        key: Key of the metric.
        **options: Further arguments of `tfma.metrics.to_label_prediction_example_weight`.
    """

    def __init__(self, key: Any, **options: Any):
        self._key = key
        self._options = options

    def create_accumulator(self) -> _Sums:
        return _Sums()

    def add_input(self, mutable_accumulator: _Sums, element: Any) -> _Sums:
        key = self._key
        rows = tfma.metrics.to_label_prediction_example_weight(
            element, model_name=key.model_name, output_name=key.output_name, sub_key=key.sub_key, **self._options
        )
        for row in rows:
            label, rate, weight = (float(np.asarray(value).reshape(-1)[0]) for value in row)
            error, middle = abs(rate - label), (rate + label) / 2
            term = error / middle if middle > 0 else 0.0
            mutable_accumulator = mutable_accumulator.add(_Sums(weight * error, weight * label, weight * term, weight))
        return mutable_accumulator

    def merge_accumulators(self, accumulators: Iterable[_Sums]) -> _Sums:
        merged = _Sums()
        for sums in accumulators:
            merged = merged.add(sums)
        return merged

    def extract_output(self, accumulator: _Sums) -> dict[Any, float]:
        fractions = {NMAE: (accumulator.errors, accumulator.labels), SMAPE: (accumulator.terms, accumulator.weights)}
        numerator, denominator = fractions[self._key.name]
        return {self._key: numerator / denominator if denominator > 0 else float("nan")}


def _computations(
    name: str,
    eval_config: Any = None,
    model_name: str = "",
    output_name: str = "",
    sub_key: Any = None,
    aggregation_type: Any = None,
    class_weights: Any = None,
    example_weighted: bool = False,
) -> list:
    key = tfma.metrics.MetricKey(
        name=name, model_name=model_name, output_name=output_name, sub_key=sub_key, example_weighted=example_weighted
    )
    options = {"aggregation_type": aggregation_type, "class_weights": class_weights}
    combiner = _SumsOfRows(key, eval_config=eval_config, example_weighted=example_weighted, **options)
    return [tfma.metrics.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]


class CountNMAE(tfma.metrics.Metric):
    """Normalized mean absolute error of counts: `sum_i |p_i - y_i| / sum_i y_i`; NaN if all labels are 0.

    Args:
        name: Name of the metric.

    References:
        M2M (Zhang et al., WSDM 2022), equation 22.
    """

    def __init__(self, name: str = NMAE):
        super().__init__(tfma.metrics.merge_per_key_computations(_computations), name=name)


class CountSMAPE(tfma.metrics.Metric):
    """Symmetric mean absolute percentage error of counts: `mean_i |p_i - y_i| / ((p_i + y_i) / 2)`.

    A term of 0 / 0 counts as 0.

    Args:
        name: Name of the metric.

    References:
        M2M (Zhang et al., WSDM 2022), equation 21.
    """

    def __init__(self, name: str = SMAPE):
        super().__init__(tfma.metrics.merge_per_key_computations(_computations), name=name)
