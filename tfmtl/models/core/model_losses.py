"""Losses of a multi-task model: those of the tasks, their combination, and the losses that are added to it."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from keras import ops

from tfmtl import introspection
from tfmtl.losses.batch_mean import mean_by_rows, mean_of_sums, share_gradient
from tfmtl.losses.uncertainty import UncertaintyWeighting
from tfmtl.models.core.batches import RowWeights, prepare_features, prepare_labels
from tfmtl.models.core.chain_losses import ChainLosses
from tfmtl.models.core.delay_rates import DelayRates
from tfmtl.models.core.heads import training_weights
from tfmtl.models.core.sampled_logits import sampled_logits
from tfmtl.models.core.task_losses import local_weights, training_losses, weight_decay
from tfmtl.spec import DatasetSpec
from tfmtl.training.strategy import Losses
from tfmtl.types import Features, Labels, Logits, Tensor, TensorLike


class ModelLosses(DelayRates):
    """Base of `MultiTaskModel` that computes its losses from labels and logits by task name.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    spec: DatasetSpec
    options: Any
    uncertainty: UncertaintyWeighting | None
    chain_losses: ChainLosses

    @property
    def extra_loss_names(self) -> tuple[str, ...]:
        """Names of the losses that `extra_losses` returns."""
        return ()

    def extra_losses(
        self, labels: Labels, logits: Logits, taps: Mapping[str, Tensor], weights: RowWeights
    ) -> dict[str, Tensor]:
        """Computes the losses that the model adds to those of its tasks.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            taps: Tensors that the forward pass recorded (`tfmtl.introspection`); empty if there was none.
            weights: Weights of the rows.

        Returns:
            Scalars, multiplied by their factors, by the names in `extra_loss_names`.
        """
        return {}

    def task_losses(
        self, labels: Labels, logits: Logits, sample_weight: Any = None, features: Features | None = None
    ) -> dict[str, Tensor]:
        """Computes the mean loss of each task over the rows on which its head is trained.

        Args:
            labels: Labels by task name, each `(batch,)`.
            logits: Logits by task name, each `(batch,)`.
            sample_weight: Weights of the rows.
            features: Transformed features by name, of which a task with `maturity: delay` needs the rates of delays.

        Returns:
            Scalars by task name; 0 for a task that is trained on no row of the batch.
        """
        labels, weights = prepare_labels(self.spec, labels, sample_weight)
        weights = self.with_delay_rates(features, weights)
        return {name: loss for name, (loss, _) in self.weighted_task_losses(labels, logits, weights).items()}

    def weighted_task_losses(
        self, labels: Labels, logits: Logits, weights: RowWeights
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Computes the mean loss of each task, and the sum of the weights of the rows on this replica.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            weights: Weights of the rows.

        Returns:
            Pairs of scalars by task name.
        """
        losses = {}
        for task in self.spec.tasks:
            late = weights.late.get(task.name)
            loss = training_losses(task, self.options, labels[task.name], logits[task.name], late)
            rows = training_weights(self.spec, task.name, self.spaces[task.name], labels, weights)
            if self.options.local_space and task.follows and task.kind == "binary":
                rows = local_weights(task.name, task.follows, labels, logits, rows, self.options.max_weight)
            total = ops.sum(rows)
            losses[task.name] = (mean_of_sums(ops.sum(rows * loss), total), total)
        return losses

    def combine_losses(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Combines the losses of the tasks: `sum_k w_k L_k`, or these weighted by uncertainty.

        Args:
            losses: Scalars by task name.

        Returns:
            A scalar.
        """
        weighted = {name: self.options.task_weights.get(name, 1.0) * loss for name, loss in losses.items()}
        return sum(weighted.values()) if self.uncertainty is None else self.uncertainty(weighted)

    def loss_factors(self) -> dict[str, TensorLike]:
        """Returns the factors by which the losses of the tasks are multiplied now, by task name.

        They are the option `task_weights`, times `1 / (2 s_k^2)` under uncertainty weighting.
        """
        fixed = {task.name: self.options.task_weights.get(task.name, 1.0) for task in self.spec.tasks}
        learned = {} if self.uncertainty is None else self.uncertainty.factors()
        return {name: factor * learned.get(name, 1.0) for name, factor in fixed.items()}

    def compute_losses(
        self, features: Features, labels: Labels | TensorLike, sample_weight: Any = None, training: bool = True
    ) -> Losses:
        """Computes the losses of a batch by one forward pass. Metrics do not change; `track` updates them.

        Args:
            features: Transformed features by name.
            labels: Labels by task name, each `(batch,)`.
            sample_weight: Weights of the rows, `(batch,)`, or by task name.
            training: Whether dropout is applied, and the rows are those of the training split, whose negatives may be
                sampled.
        """
        labels, weights = prepare_labels(self.spec, labels, sample_weight)
        features = prepare_features(self.spec, features)
        with introspection.collect() as taps:
            logits = self(features, training=training)
        weights = self.with_delay_rates(features, weights)
        if training:  # Other rows are those of the eval split, which is not sampled.
            logits = sampled_logits(self.spec, self.spaces, logits)
        return self._losses_of_logits(labels, logits, taps, weights)

    def compute_loss(
        self,
        x: Features | None = None,
        y: Labels | TensorLike | None = None,
        y_pred: Logits | None = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Computes the total loss of given logits: the losses of the tasks, and those that layers have added.

        Args:
            x: Features, of which a task with `maturity: delay` needs the rates of delays.
            y: Labels by task name, each `(batch,)`.
            y_pred: Logits by task name, each `(batch,)`.
            sample_weight: Weights of the rows, `(batch,)`, or by task name.
            training: Not used.

        Returns:
            A scalar.
        """
        labels, weights = prepare_labels(self.spec, y, sample_weight)
        weights = self.with_delay_rates(None if x is None else prepare_features(self.spec, x), weights)
        return self._losses_of_logits(labels, y_pred or {}, {}, weights).total

    def _losses_of_logits(
        self, labels: Labels, logits: Logits, taps: Mapping[str, Tensor], weights: RowWeights
    ) -> Losses:
        added = list(self.losses)  # Replicas share the list, so it is read before they wait for each other.
        tasks = self.weighted_task_losses(labels, logits, weights)
        extras = self.chain_losses(self.spaces, labels, logits, weights)
        extras |= self.extra_losses(labels, logits, taps, weights)
        total = self.combine_losses({name: loss for name, (loss, _) in tasks.items()})
        total += sum(extras.values())
        if added:
            total += mean_by_rows(sum(added), tf.shape(next(iter(logits.values())))[0])
        if self.options.weight_decay:
            excluded = [*self.sparse_embeddings, *([] if self.uncertainty is None else [self.uncertainty])]
            total += weight_decay(self.options.weight_decay, self.decayed_variables, excluded)
        return Losses(share_gradient(total), logits, tasks, extras)
