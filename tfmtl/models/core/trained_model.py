"""TrainedModel: what `compile`, `fit` and `evaluate` of a multi-task model do."""

import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmtl.layers import DynamicSelector
from tfmtl.models.core.batches import prepare_batch
from tfmtl.models.core.model_losses import ModelLosses
from tfmtl.models.core.output_metrics import OutputMetrics
from tfmtl.models.core.replicated import ReplicatedModel
from tfmtl.models.core.tracked_metrics import TrackedMetrics
from tfmtl.training.strategy import PlainTraining, Strategy
from tfmtl.types import Config, Tensor


class TrainedModel(ModelLosses, TrackedMetrics, ReplicatedModel):
    """Base of `MultiTaskModel` that trains with a strategy and evaluates with the model's own losses.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    def compile(
        self,
        optimizer: Any = "rmsprop",
        strategy: Strategy | None = None,
        metrics: Mapping[str, Any] | None = None,
        weighted_metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Configures training. The model defines its losses itself, and reports them and an AUC for each output.

        Args:
            optimizer: An optimizer of Keras or of `tfmtl.optimizers`.
            strategy: Conversion of a batch to an update, such as `tfmtl.training.MetaLearning`. Defaults to a step
                along the gradient of the loss.
            metrics: Further metrics by output name, such as `{"ctr": ["accuracy"]}`. They ignore `sample_weight`.
                They are reported as `<output>_<metric>`. A metric of an output given a previous task is taken over
                the rows where the label of that task is 1.
            weighted_metrics: The same for metrics that `sample_weight` weights.
            **kwargs: Other arguments of `keras.Model.compile`. `jit_compile` is False by default.

        Raises:
            ValueError: If a loss or the weights of losses are given, or metrics are not given by output name.
        """
        if kwargs.get("loss") is not None:
            expected = "`loss` should be left out: the kinds of the tasks define it"
            raise ValueError(f"{expected}. Received: {kwargs['loss']}")
        if kwargs.get("loss_weights") is not None:
            expected = "`loss_weights` should be replaced by the option `task_weights`, by task name, of the model"
            raise ValueError(f"{expected}. Received: {kwargs['loss_weights']}")
        reserved = [metric.name for metric in self.own_metrics]
        self.output_metrics = OutputMetrics(self.spec, metrics, weighted_metrics, reserved)
        kwargs.setdefault("jit_compile", False)
        self.strategy = strategy or PlainTraining()
        super().compile(optimizer=optimizer, **kwargs)
        if self.built:  # Otherwise the first step is traced twice, and saving misses the optimizer's variables.
            self.optimizer.build(self.trainable_variables)

    def get_compile_config(self) -> Config | None:
        """Returns the optimizer, the strategy and the metrics, serialized; None if the model is not compiled."""
        if not self.compiled:
            return None
        parts = {"optimizer": self.optimizer, "strategy": self.strategy}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**serialized, **self.output_metrics.get_config()}

    def compile_from_config(self, config: Config) -> None:
        """Compiles the model as it was when it was saved.

        Args:
            config: Result of `get_compile_config`.
        """
        self.compile(**{name: keras.saving.deserialize_keras_object(part) for name, part in config.items()})

    @functools.wraps(keras.Model.fit)
    def fit(self, *args: Any, **kwargs: Any) -> Any:
        _reject_class_weight(kwargs)
        return super().fit(*args, **kwargs)

    @functools.wraps(keras.Model.train_on_batch)
    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        _reject_class_weight(kwargs)
        return super().train_on_batch(*args, **kwargs)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Makes one step of the strategy. Layers that count training steps count one, whatever the strategy does.

        Args:
            data: `(features, labels)` or `(features, labels, sample_weight)`.

        Returns:
            Values of the metrics by name.
        """
        # Where the data end, Keras runs the graph of a step without data. What does not depend on data, such as the
        # optimizer's counter or its weight decay, would be done once too often.
        tensors = [tensor for tensor in keras.tree.flatten(data) if tensor is not None]
        with tf.control_dependencies([tf.group(tensors)]):
            logs = self.strategy.train_step(self, *prepare_batch(self.spec, data))
            for layer in self._flatten_layers():
                if isinstance(layer, DynamicSelector):
                    layer.end_training_step()
        return logs

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Evaluates a batch.

        Args:
            data: `(features, labels)` or `(features, labels, sample_weight)`.

        Returns:
            Values of the metrics by name.
        """
        features, labels, weights = prepare_batch(self.spec, data)
        return self.track(self.compute_losses(features, labels, weights, training=False), labels, weights)

    def predict_step(self, data: Any) -> dict[str, Tensor]:
        """Computes the outputs of a batch.

        Args:
            data: Features, or a tuple that begins with features.

        Returns:
            Probabilities and rates by output name, each `(batch,)`.
        """
        features, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        scores: dict[str, Tensor] = self.score(features)
        return scores


def _reject_class_weight(arguments: Mapping[str, Any]) -> None:
    if arguments.get("class_weight") is not None:
        options = "`positive_weights` and `negative_weights`, by task name"
        expected = f"`class_weight` should be replaced by the options {options}, of the model"
        raise ValueError(f"{expected}. Received: {arguments['class_weight']}")
