"""Metrics that are given to `compile`, by output name."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras

from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.heads import label_weights
from tfmtl.spec import DatasetSpec, Output
from tfmtl.types import Config, Labels, Tensor

_BINARY = {"accuracy": "binary_accuracy", "acc": "binary_accuracy", "crossentropy": "binary_crossentropy"}


class OutputMetrics:
    """Metrics of a model's outputs, updated with the labels of each output's task.

    A metric of an output on a conditional space is taken over the rows where the label of the previous task is 1.

    Args:
        spec: Outputs and tasks.
        metrics: Metrics by output name, each a metric, a list of metrics, or what `keras.metrics.get` accepts. They
            ignore the weights of rows.
        weighted_metrics: Metrics by output name that are weighted by `sample_weight`.
        reserved: Names of the metrics that the model reports anyway.

    Raises:
        ValueError: If metrics are not given by output name, or a name is taken.
    """

    def __init__(self, spec: DatasetSpec, metrics: Any, weighted_metrics: Any, reserved: Collection[str]):
        self._spec = spec
        self._config = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._named: dict[str, tuple[Output, keras.metrics.Metric, bool]] = {}
        for argument, by_output in self._config.items():
            for output, metric in _metrics_by_output(spec, argument, by_output or {}):
                name = f"{output.name}_{metric.name}"
                if name in reserved or name in self._named:
                    expected = f"`{argument}` of `{output.name}` should have a name that is not reported yet"
                    raise ValueError(f"{expected}. Received: {metric.name!r}, reported as `{name}`")
                self._named[name] = (output, metric, argument == "weighted_metrics")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics."""
        return [metric for _, metric, _ in self._named.values()]

    def update_state(self, labels: Labels, outputs: Mapping[str, Tensor], weights: RowWeights) -> None:
        """Updates the metrics with a batch.

        Args:
            labels: Prepared labels by task name, each `(batch,)`.
            outputs: Probabilities and rates by output name, each `(batch,)`.
            weights: Weights of the rows.
        """
        unweighted = weights._replace(sample=None)
        for output, metric, is_weighted in self._named.values():
            rows = label_weights(self._spec, output.task, output.space, labels, weights if is_weighted else unweighted)
            metric.update_state(labels[output.task][:, None], outputs[output.name][:, None], sample_weight=rows)

    def result(self) -> dict[str, Tensor]:
        """Returns the values by name, `<output>_<metric>`."""
        return {name: metric.result() for name, (_, metric, _) in self._named.items()}

    def get_config(self) -> Config:
        """Returns the arguments of `compile`, serialized; those that are None are left out."""
        given = {name: metrics for name, metrics in self._config.items() if metrics}
        return {name: keras.saving.serialize_keras_object(metrics) for name, metrics in given.items()}


def _metrics_by_output(spec: DatasetSpec, argument: str, by_output: Any) -> list[tuple[Output, keras.metrics.Metric]]:
    """Returns pairs of an output and a metric object."""
    outputs = {output.name: output for output in spec.outputs}
    names = list(by_output) if isinstance(by_output, Mapping) else None
    if names is None or any(name not in outputs for name in names):
        received = by_output if names is None else f"a dict with the keys {', '.join(map(str, names))}"
        raise ValueError(f"`{argument}` should be a dict by output name: {', '.join(outputs)}. Received: {received}")
    pairs = []
    for name, entry in by_output.items():
        entries = entry if isinstance(entry, Sequence) and not isinstance(entry, str) else [entry]
        pairs += [(outputs[name], _metric(one)) for one in entries]
    return pairs


def _metric(identifier: Any) -> keras.metrics.Metric:
    """Returns a metric object, as `keras.Model.compile` does for a binary output."""
    if isinstance(identifier, str):
        identifier = _BINARY.get(identifier, identifier)
    metric = keras.metrics.get(identifier)
    if isinstance(metric, keras.metrics.Metric):
        return metric
    return keras.metrics.MeanMetricWrapper(metric, name=getattr(metric, "__name__", type(metric).__name__))
