"""MultiTaskModel: what all models of the package have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from tfmtl import config, introspection
from tfmtl.layers import DynamicSelector, FusedEmbedding
from tfmtl.losses.batch_mean import mean_by_rows, mean_of_sums, replica_mean, share_gradient
from tfmtl.losses.uncertainty import UncertaintyWeighting
from tfmtl.metrics.auc import LogitAUC
from tfmtl.model_inputs import bags, embedding_rows, transformed_inputs
from tfmtl.models.core.chain_losses import ChainLosses, local_weights
from tfmtl.models.core.heads import evaluation_logits, task_weights, to_outputs
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.core.replicated import ReplicatedModel
from tfmtl.models.core.task_losses import row_losses, weight_decay
from tfmtl.precision import dtype_policy
from tfmtl.spec import ENTIRE, DatasetSpec
from tfmtl.training.strategy import Losses, PlainTraining, Strategy


class MultiTaskModel(ReplicatedModel):
    """A model of the tasks of a spec: embedding of the transformed features, and one logit a task.

    A subclass gives `call(features, training)`, a dict of `(batch,)` logits by task name, and `options_class`. What
    those logits mean is in `spaces`: a head on the *entire* space predicts P(label = 1 | x), one on the *previous*
    space P(label = 1 | previous label = 1, x); a count's logit is the logarithm of its rate. Training weighs a row of
    the conditional space by its previous label. `predict` and `score` give all outputs of the spec by their served names,
    whichever head the model has.

    Args:
        spec: features and tasks.
        vocabulary_sizes: tokens of each feature that has a vocabulary.
        options: hyper-parameters, of `options_class`.

    Call arguments:
        features: the tensors of `tfmtl.model_inputs.transformed_inputs(spec)` by name.

    Raises:
        ConfigError: if an option is unknown or wrong, or names a task that the spec does not have.
    """

    options_class: ClassVar[type] = ModelOptions
    paper: ClassVar[str] = ""
    equations: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, spec: DatasetSpec, vocabulary_sizes: Mapping[str, int], options: Any, **kwargs: Any):
        super().__init__(**kwargs)
        try:
            options.check_tasks(spec)
        except config.FieldError as error:
            raise config.Document(None).error(error.path, error.message) from error
        self.spec = spec
        self.vocabulary_sizes = dict(vocabulary_sizes)
        self.options = options
        self.embedding = self.make_embedding()
        self.uncertainty = None
        if options.weighting == "uncertainty":
            self.uncertainty = UncertaintyWeighting([task.name for task in spec.tasks], name="uncertainty")
            self.uncertainty.build()
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.task_loss_trackers = {task.name: keras.metrics.Mean(name=f"{task.name}_loss") for task in spec.tasks}
        self.chain_losses = ChainLosses(spec, options)
        extras = (*self.chain_losses.names, *self.extra_loss_names)
        self.extra_loss_trackers = {name: keras.metrics.Mean(name=name) for name in extras}
        self.aucs = {o.name: LogitAUC(name=f"{o.name}_auc") for o in spec.outputs if spec.task(o.task).kind == "binary"}

    @classmethod
    def from_spec(cls, spec: DatasetSpec, vocabulary_sizes: Mapping[str, int], **options: Any) -> "MultiTaskModel":
        """A built model. `options` are the fields of `options_class`, checked as a configuration is."""
        model = cls(spec, vocabulary_sizes, config.build(cls.options_class, config.Document(options)))
        model(model.zero_batch(), training=False)
        return model

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """The options of an experiment of the paper. Raises `ValueError`, naming those there are, if there is none."""
        if name not in cls.presets:
            known = ", ".join(cls.presets) or "none, for it has none"
            raise ValueError(f"preset of {cls.__name__} should be one of {known}. Received: {name!r}")
        return dict(cls.presets[name])

    def make_embedding(self) -> keras.layers.Layer:
        """What turns the features into `(batch, fields, width)`; available once `spec` and `options` are set."""
        rows = embedding_rows(self.spec, self.vocabulary_sizes)
        apart = self.options.unpooled_sequences(self.spec)
        return FusedEmbedding(rows, self.options.embedding_dim, bags(self.spec), unpooled=apart, name="embedding")

    @property
    def sparse_embeddings(self) -> tuple[FusedEmbedding, ...]:
        """The tables of which a batch touches few rows; each is called with the model's features."""
        return (self.embedding,) if isinstance(self.embedding, FusedEmbedding) else ()

    @property
    def decayed_variables(self) -> list[Any]:
        """What the option `weight_decay` decays, embedding tables and the weights of losses left out of it."""
        return self.trainable_variables

    @property
    def architecture_variables(self) -> list[Any]:
        """What `tfmtl.training.ArchitectureSearch` learns on rows of its own, such as connections; none by default."""
        return []

    def serving_model(self) -> "MultiTaskModel":
        """The model whose weights and `score` are exported: itself, or the part of it that scores."""
        return self

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """What the second of two stages trains (`tfmtl.training.TwoStage`): `towers`, and the weights of losses."""
        weights = () if self.uncertainty is None else (self.uncertainty,)
        return (*getattr(self, "towers", {}).values(), *weights)

    @property
    def extra_loss_names(self) -> tuple[str, ...]:
        """The keys of `extra_losses`; available once `spec` and `options` are set."""
        return ()

    @property
    def spaces(self) -> dict[str, str]:
        """`entire` or `conditional` for each task: on which space its head is trained."""
        return {task.name: self.options.space if task.follows else ENTIRE for task in self.spec.tasks}

    def zero_batch(self, batch_size: int = 1) -> dict[str, tf.Tensor]:
        """A batch of zeros of the right names, dtypes and shapes."""
        return {i.name: tf.zeros((batch_size, *i.shape), i.dtype) for i in transformed_inputs(self.spec)}

    def embed(self, features: Mapping[str, Any]) -> Any:
        """The fields' embeddings, `(batch, fields, dim)`; adds the option `embedding_l2` to the losses."""
        embedded = self.embedding(features)
        if self.options.embedding_l2:
            squares = ops.sum(ops.square(ops.cast(embedded, "float32")), axis=(1, 2))
            self.add_loss(self.options.embedding_l2 * replica_mean(squares))
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
        return {name: loss for name, (loss, _) in self._tasks_losses(labels, logits, sample_weight).items()}

    def _tasks_losses(self, labels: Mapping[str, Any], logits: Mapping[str, Any], sample_weight: Any) -> dict:
        """Of each task, the mean loss over the batch, and the sum of the weights of this replica's rows of it."""
        losses = {}
        for task in self.spec.tasks:
            loss = row_losses(task, self.options, labels[task.name], logits[task.name])
            weights = task_weights(self.spec, task.name, self.spaces[task.name], labels, sample_weight)
            if self.options.local_space and task.follows:
                weights = local_weights(task.name, task.follows, labels, logits, weights, self.options.max_weight)
            weights = tf.ones_like(loss) if weights is None else weights
            rows = ops.sum(weights)
            losses[task.name] = (mean_of_sums(ops.sum(weights * loss), rows), rows)
        return losses

    def combine_losses(self, losses: Mapping[str, Any]) -> Any:
        """The tasks' losses as one: `sum_k w_k L_k`, or these weighed by uncertainty. A subclass may do otherwise."""
        weighed = {name: self.options.task_weights.get(name, 1.0) * loss for name, loss in losses.items()}
        return sum(weighed.values()) if self.uncertainty is None else self.uncertainty(weighed)

    def loss_factors(self) -> dict[str, Any]:
        """What each task's loss is multiplied by now: `task_weights`, times `1 / (2 s_k^2)` under uncertainty."""
        fixed = {task.name: self.options.task_weights.get(task.name, 1.0) for task in self.spec.tasks}
        learned = {} if self.uncertainty is None else self.uncertainty.factors()
        return {name: factor * learned.get(name, 1.0) for name, factor in fixed.items()}

    def extra_losses(self, labels: Any, logits: Any, taps: Mapping[str, Any], sample_weight: Any = None) -> dict:
        """Losses besides the tasks', by the names in `extra_loss_names`; `taps` is what the forward pass recorded."""
        return {}

    def compute_losses(self, features: Any, labels: Any, sample_weight: Any = None, training: bool = True) -> Losses:
        """One forward pass and its losses. Changes nothing: metrics are updated by `track`."""
        with introspection.collect() as taps:
            logits = self(features, training=training)
        return self._losses_of_logits(labels, logits, taps, sample_weight)

    def _losses_of_logits(self, labels: Any, logits: Any, taps: Mapping[str, Any], sample_weight: Any) -> Losses:
        added = list(self.losses)  # Read before replicas wait for one another: they share the list.
        tasks = self._tasks_losses(labels, logits, sample_weight)
        extras = self.chain_losses(self.spaces, labels, logits, sample_weight)
        extras |= self.extra_losses(labels, logits, taps, sample_weight)
        total = self.combine_losses({name: loss for name, (loss, _) in tasks.items()})
        total += sum(extras.values())
        if added:
            total += mean_by_rows(sum(added), tf.shape(next(iter(logits.values())))[0])
        if self.options.weight_decay:
            apart = [*self.sparse_embeddings, *([] if self.uncertainty is None else [self.uncertainty])]
            total += weight_decay(self.options.weight_decay, self.decayed_variables, apart)
        return Losses(share_gradient(total), logits, tasks, extras)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The total loss of given logits: the tasks', weighed, and what layers added."""
        return self._losses_of_logits(y, y_pred, {}, sample_weight).total

    def compile(self, optimizer: Any = "rmsprop", strategy: Strategy | None = None, **kwargs: Any) -> None:
        """As `keras.Model.compile`, without XLA by default. The losses are the model's own: `loss` is not taken.

        Args:
            optimizer: of Keras, or of `tfmtl.optimizers`.
            strategy: how a batch becomes an update; one gradient step on its loss by default.
            kwargs: those of `keras.Model.compile`.
        """
        if kwargs.get("loss") is not None:
            raise ValueError(f"`loss` should be left out: the tasks' kinds give it. Received: {kwargs['loss']}")
        kwargs.setdefault("jit_compile", False)
        self.strategy = strategy or PlainTraining()
        super().compile(optimizer=optimizer, **kwargs)
        if self.built:  # Else the first step is traced twice, and an untrained model is saved without these variables.
            self.optimizer.build(self.trainable_variables)

    def get_compile_config(self):
        if not self.compiled:
            return None
        parts = {"optimizer": self.optimizer, "strategy": self.strategy}
        return {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}

    def compile_from_config(self, config):
        self.compile(**{name: keras.saving.deserialize_keras_object(part) for name, part in config.items()})

    def train_step(self, data):
        """One step of the strategy on `(features, labels by task name[, sample_weight])`.

        Layers that count training steps (`tfmtl.layers.DynamicSelector`) count one, however the strategy calls them.
        """
        # Where the data end, Keras asks for more in the graph of the step: what needs no data, such as the optimizer's
        # counter or its weight decay, would still be done.
        there = [tensor for tensor in keras.tree.flatten(data) if tensor is not None]
        with tf.control_dependencies(there):
            logs = self.strategy.train_step(self, *keras.utils.unpack_x_y_sample_weight(data))
            for layer in self._flatten_layers():
                if isinstance(layer, DynamicSelector):
                    layer.end_training_step()
        return logs

    def test_step(self, data):
        features, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return self.track(self.compute_losses(features, labels, sample_weight, training=False), labels, sample_weight)

    def predict_step(self, data):
        features, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.score(features)

    def track(self, losses: Losses, labels: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the metrics with a batch and returns them all. Losses are averaged over rows, not over batches."""
        rows = tf.shape(next(iter(losses.logits.values())))[0]
        self.loss_tracker.update_state(losses.total, sample_weight=rows)
        for name, (loss, weight) in losses.tasks.items():
            self.task_loss_trackers[name].update_state(loss, sample_weight=weight)
        for name, loss in losses.extras.items():
            self.extra_loss_trackers[name].update_state(loss, sample_weight=rows)
        scores = evaluation_logits(self.spec, self.spaces, losses.logits)
        for output in self.spec.outputs:
            if output.name in self.aucs:
                weights = task_weights(self.spec, output.task, output.space, labels, sample_weight)
                self.aucs[output.name].update_state(labels[output.task], scores[output.name], weights)
        return {metric.name: metric.result() for metric in self.metrics}

    @property
    def metrics(self):
        losses = [*self.task_loss_trackers.values(), *self.extra_loss_trackers.values()]
        return [self.loss_tracker, *losses, *self.aucs.values()]

    def get_config(self):
        return {
            "name": self.name,
            "spec": self.spec.to_dict(),
            "vocabulary_sizes": self.vocabulary_sizes,
            "options": config.to_plain(self.options),
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config):
        spec = DatasetSpec.from_dict(config["spec"])
        with dtype_policy(keras.saving.deserialize_keras_object(config["dtype"])):
            model = cls.from_spec(spec, config["vocabulary_sizes"], **config["options"])
        model.name = config["name"]
        return model
