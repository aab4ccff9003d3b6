"""MultiTaskModel: what all models of the package have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from tfmtl import config, introspection
from tfmtl.fields import bags, embedding_rows, transformed_inputs
from tfmtl.layers import FusedEmbedding
from tfmtl.losses.logit_losses import BY_KIND
from tfmtl.metrics.auc import LogitAUC
from tfmtl.models.heads import evaluation_logits, task_weights, to_outputs
from tfmtl.models.options import ModelOptions
from tfmtl.spec import ENTIRE, DatasetSpec


class MultiTaskModel(keras.Model):
    """A model of the tasks of a spec: embedding of the transformed features, and one logit a task.

    A subclass gives `call(features, training)`, a dict of `(batch,)` logits by task name, and `options_class`. What
    those logits mean is in `spaces`: a head on the *entire* space predicts P(label = 1 | x), one on the *previous*
    space P(label = 1 | previous label = 1, x); a count's logit is the logarithm of its rate. Training weighs a row of
    the previous space by its previous label. `predict` and `score` give all outputs of the spec by their served names,
    whichever head the model has.

    Args:
        spec: features and tasks.
        vocabulary_sizes: tokens of each feature that has a vocabulary.
        options: hyper-parameters, of `options_class`.

    Call arguments:
        features: the tensors of `tfmtl.fields.transformed_inputs(spec)` by name.

    Raises:
        ConfigError: if an option is unknown or wrong, or names a task that the spec does not have.
    """

    options_class: ClassVar[type] = ModelOptions
    paper: ClassVar[str] = ""
    equations: ClassVar[str] = ""

    def __init__(self, spec: DatasetSpec, vocabulary_sizes: Mapping[str, int], options: Any, **kwargs: Any):
        super().__init__(**kwargs)
        for task in options.task_weights:
            if task not in [known.name for known in spec.tasks]:
                message = f"should be a task of the spec. Received: {task!r}"
                raise config.Document(None).error(("task_weights", task), message)
        self.spec = spec
        self.vocabulary_sizes = dict(vocabulary_sizes)
        self.options = options
        self.embedding = FusedEmbedding(
            embedding_rows(spec, vocabulary_sizes), options.embedding_dim, bags(spec), name="embedding"
        )
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.task_loss_trackers = {task.name: keras.metrics.Mean(name=f"{task.name}_loss") for task in spec.tasks}
        self.aucs = {o.name: LogitAUC(name=f"{o.name}_auc") for o in spec.outputs if spec.task(o.task).kind == "binary"}

    @classmethod
    def from_spec(cls, spec: DatasetSpec, vocabulary_sizes: Mapping[str, int], **options: Any) -> "MultiTaskModel":
        """A built model. `options` are the fields of `options_class`, checked as a configuration is."""
        model = cls(spec, vocabulary_sizes, config.build(cls.options_class, config.Document(options)))
        model(model.zero_batch(), training=False)
        return model

    @property
    def spaces(self) -> dict[str, str]:
        """`entire` or `previous` for each task: on which space its head is trained."""
        return {task.name: self.options.space if task.follows else ENTIRE for task in self.spec.tasks}

    def zero_batch(self, batch_size: int = 1) -> dict[str, tf.Tensor]:
        """A batch of zeros of the right names, dtypes and shapes."""
        return {i.name: tf.zeros((batch_size, *i.shape), i.dtype) for i in transformed_inputs(self.spec)}

    def embed(self, features: Mapping[str, Any]) -> Any:
        """The fields' embeddings, `(batch, fields, dim)`; adds the option `embedding_l2` to the losses."""
        embedded = self.embedding(features)
        if self.options.embedding_l2:
            squares = ops.sum(ops.square(ops.cast(embedded, "float32")), axis=(1, 2))
            self.add_loss(self.options.embedding_l2 * ops.mean(squares))
        return embedded

    def embed_flat(self, features: Mapping[str, Any]) -> Any:
        """The fields' embeddings side by side, `(batch, fields * dim)`."""
        embedded = self.embed(features)
        return ops.reshape(embedded, (-1, embedded.shape[1] * embedded.shape[2]))

    def score(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """The served outputs: `(batch,)` float32 by output name, probabilities and rates, on both spaces."""
        return to_outputs(self.spec, self.spaces, self(features, training=False))

    def inspect(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """What the model's layers record on these features, by path (see `tfmtl.introspection`)."""
        with introspection.collect() as taps:
            self(features, training=False)
        return taps

    def task_losses(self, labels: Mapping[str, Any], logits: Mapping[str, Any], sample_weight: Any = None) -> dict:
        """The mean loss of each task over the rows of its head's space (0 where a batch has no such row)."""
        return {
            name: tf.math.divide_no_nan(total, rows)
            for name, (total, rows) in self._summed_losses(labels, logits, sample_weight).items()
        }

    def _summed_losses(self, labels: Mapping[str, Any], logits: Mapping[str, Any], sample_weight: Any) -> dict:
        """Of each task, the weighted sum of its losses and the sum of the weights."""
        sums = {}
        for task in self.spec.tasks:
            losses = BY_KIND[task.kind](labels[task.name], logits[task.name])
            weights = task_weights(self.spec, task.name, self.spaces[task.name], labels, sample_weight)
            weights = tf.ones_like(losses) if weights is None else weights
            sums[task.name] = (ops.sum(weights * losses), ops.sum(weights))
        return sums

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """`sum_k w_k L_k` and what layers added; also updates the loss trackers, which average over rows."""
        total = sum(self.losses)
        for name, (summed, rows) in self._summed_losses(y, y_pred, sample_weight).items():
            loss = tf.math.divide_no_nan(summed, rows)
            total += self.options.task_weights.get(name, 1.0) * loss
            self.task_loss_trackers[name].update_state(loss, sample_weight=rows)
        self.loss_tracker.update_state(total, sample_weight=tf.shape(next(iter(y_pred.values())))[0])
        return total

    def compile(self, optimizer: Any = "rmsprop", **kwargs: Any) -> None:
        """As `keras.Model.compile`, without XLA by default. The losses are the model's own: `loss` is not taken."""
        if kwargs.get("loss") is not None:
            raise ValueError(f"`loss` should be left out: the tasks' kinds give it. Received: {kwargs['loss']}")
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, **kwargs)

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)}

    def compile_from_config(self, config):
        self.compile(optimizer=keras.saving.deserialize_keras_object(config["optimizer"]))
        self.optimizer.build(self.trainable_variables)

    def train_step(self, data):
        """One step on `(features, labels by task name[, sample_weight])`."""
        features, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            logits = self(features, training=True)
            loss = self.compute_loss(features, labels, logits, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._update_metrics(labels, logits, sample_weight)

    def test_step(self, data):
        features, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        logits = self(features, training=False)
        self.compute_loss(features, labels, logits, sample_weight, training=False)
        return self._update_metrics(labels, logits, sample_weight)

    def predict_step(self, data):
        features, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.score(features)

    def _update_metrics(self, labels: Any, logits: Any, sample_weight: Any) -> dict[str, Any]:
        scores = evaluation_logits(self.spec, self.spaces, logits)
        for output in self.spec.outputs:
            if output.name in self.aucs:
                weights = task_weights(self.spec, output.task, output.space, labels, sample_weight)
                self.aucs[output.name].update_state(labels[output.task], scores[output.name], weights)
        return {metric.name: metric.result() for metric in self.metrics}

    @property
    def metrics(self):
        return [self.loss_tracker, *self.task_loss_trackers.values(), *self.aucs.values()]

    def get_config(self):
        return {
            "name": self.name,
            "spec": self.spec.to_dict(),
            "vocabulary_sizes": self.vocabulary_sizes,
            "options": config.to_plain(self.options),
        }

    @classmethod
    def from_config(cls, config):
        model = cls.from_spec(DatasetSpec.from_dict(config["spec"]), config["vocabulary_sizes"], **config["options"])
        model.name = config["name"]
        return model
