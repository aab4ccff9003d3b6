"""Metrics of a multi-task model: its losses, an AUC of each binary output, and a Gini coefficient of each value."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmtl.metrics.auc import LogitAUC
from tfmtl.metrics.gini import NormalizedGini
from tfmtl.models.core.batches import RowWeights, prepare_labels
from tfmtl.models.core.heads import evaluation_logits, label_weights, task_outputs
from tfmtl.models.core.output_metrics import OutputMetrics
from tfmtl.spec import DatasetSpec
from tfmtl.training.strategy import Losses
from tfmtl.types import Labels, Tensor, TensorLike


class TrackedMetrics(keras.Model):
    """Base of `MultiTaskModel` that holds its metrics and updates them with each batch.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    spec: DatasetSpec

    def make_metrics(self, extra_losses: Sequence[str]) -> None:
        """Creates the metrics.

        Args:
            extra_losses: Names of the losses that are added to those of the tasks.
        """
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.task_loss_trackers = {t.name: keras.metrics.Mean(name=f"{t.name}_loss") for t in self.spec.tasks}
        self.extra_loss_trackers = {name: keras.metrics.Mean(name=name) for name in extra_losses}
        kinds = {output.name: self.spec.task(output.task).kind for output in self.spec.outputs}
        self.aucs = {name: LogitAUC(name=f"{name}_auc") for name, kind in kinds.items() if kind == "binary"}
        self.ginis = {name: NormalizedGini(name=f"{name}_gini") for name, kind in kinds.items() if kind == "value"}
        self.output_metrics = OutputMetrics(self.spec, None, None, ())

    @property
    def own_metrics(self) -> list[keras.metrics.Metric]:
        """Metrics that the model reports whatever is given to `compile`."""
        losses = [*self.task_loss_trackers.values(), *self.extra_loss_trackers.values()]
        return [self.loss_tracker, *losses, *self.aucs.values(), *self.ginis.values()]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics; Keras resets them at the start of each epoch."""
        return [*self.own_metrics, *self.output_metrics.metrics]

    def track(
        self, losses: Losses, labels: Labels, sample_weight: TensorLike | RowWeights | None = None
    ) -> dict[str, Tensor]:
        """Updates the metrics with a batch and returns the values of all of them.

        Losses are averaged over rows, not over batches.

        Args:
            losses: Losses and logits of the batch.
            labels: Labels of the batch, by task name.
            sample_weight: Weights of its rows.

        Returns:
            Values by the name of the metric.
        """
        labels, weights = prepare_labels(self.spec, labels, sample_weight)
        rows = tf.shape(next(iter(losses.logits.values())))[0]
        self.loss_tracker.update_state(losses.total, sample_weight=rows)
        for name, (loss, weight) in losses.tasks.items():
            self.task_loss_trackers[name].update_state(loss, sample_weight=weight)
        for name, loss in losses.extras.items():
            self.extra_loss_trackers[name].update_state(loss, sample_weight=rows)
        scores = evaluation_logits(self.spec, self.spaces, losses.logits)
        outputs = task_outputs(self.spec, self.spaces, losses.logits) if self.ginis else {}
        for output in self.spec.outputs:
            if output.name in scores or output.name in self.ginis:
                row_weights = label_weights(self.spec, output.task, output.space, labels, weights)
                metrics, predicted = (self.aucs, scores) if output.name in scores else (self.ginis, outputs)
                metrics[output.name].update_state(labels[output.task], predicted[output.name], row_weights)
        if self.output_metrics.metrics:
            outputs = outputs or task_outputs(self.spec, self.spaces, losses.logits)
            self.output_metrics.update_state(labels, outputs, weights)
        return {**{metric.name: metric.result() for metric in self.own_metrics}, **self.output_metrics.result()}
