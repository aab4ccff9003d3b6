"""A model's losses as a function of its parameters, without a pass over an embedding table."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmtl.training.strategy import Losses


class FunctionalParameters:
    """The trainable parameters of a model as tensors, in the order of `model.trainable_variables`.

    That of an embedding table is a small tensor: the rows that a batch looks up (`FusedEmbedding.override_rows`), so that
    nothing costs by the vocabulary.

    Args:
        model: with `compute_losses`, `trainable_variables`, `non_trainable_variables` and `sparse_embeddings`.
        features: a batch; the losses are those of rows of it.
    """

    def __init__(self, model: Any, features: Any):
        self.model = model
        self.variables = model.trainable_variables
        trainable = {id(variable) for variable in self.variables}
        layers = [layer for layer in model.sparse_embeddings if layer.built and id(layer.table) in trainable]
        self.tables = {id(layer.table): (layer, layer.unique_rows(features)) for layer in layers}

    def start(self) -> list[tf.Tensor]:
        """What the variables hold."""
        values = []
        for variable in self.variables:
            if id(variable) in self.tables:
                values.append(tf.gather(variable.value, self.tables[id(variable)][1]))
            else:
                values.append(tf.convert_to_tensor(variable.value))
        return values

    def losses_at(self) -> "FunctionalLosses":
        """A function from values of the parameters, and rows of the batch, to losses."""
        return FunctionalLosses(self)

    def as_gradients(self, slopes: Sequence[Any]) -> list[Any]:
        """Gradients by the tensors as gradients by the variables: of a table, a `tf.IndexedSlices` of its rows."""
        gradients = []
        for variable, slope in zip(self.variables, slopes, strict=True):
            if slope is not None and id(variable) in self.tables:
                rows = self.tables[id(variable)][1]
                slope = tf.IndexedSlices(slope, rows, tf.constant(tuple(variable.shape), "int64"))
            gradients.append(slope)
        return gradients


class FunctionalLosses:
    """`compute_losses` at any values of the trainable parameters, not only at those that the variables hold.

    What a forward pass changes besides (seeds of dropout, moving averages) is handed from each call to the next
    and reaches the variables by `write_state`.
    """

    def __init__(self, parameters: FunctionalParameters):
        self._parameters = parameters
        self._state: dict[int, tuple[Any, Any]] = {}

    def __call__(self, values: Sequence[Any], features: Any, labels: Any, sample_weight: Any = None) -> Losses:
        """A forward pass in training at these values, and its losses."""
        model, tables = self._parameters.model, self._parameters.tables
        mapping = list(self._state.values())
        with contextlib.ExitStack() as stack:
            for variable, value in zip(self._parameters.variables, values, strict=True):
                if id(variable) in tables:
                    layer, rows = tables[id(variable)]
                    stack.enter_context(layer.override_rows(rows, value))
                else:
                    mapping.append((variable, value))
            scope = keras.StatelessScope(mapping, collect_losses=True, initialize_variables=False)
            stack.enter_context(scope)
            losses = model.compute_losses(features, labels, sample_weight, training=True)
        for variable in model.non_trainable_variables:
            value = scope.get_current_value(variable)
            if value is not None:
                self._state[id(variable)] = (variable, tf.stop_gradient(value))
        return losses

    def write_state(self) -> None:
        """Assigns what the forward passes have changed besides the parameters."""
        for variable, value in self._state.values():
            variable.assign(value)


def dense_gradient(tape: tf.GradientTape, target: Any, values: Sequence[Any]) -> list[Any]:
    """The gradient by each tensor as a tensor of its shape; None where the target does not depend on it.

    What a gather gives as `tf.IndexedSlices` is summed into a tensor, and stays differentiable.
    """
    slopes = []
    for slope, value in zip(tape.gradient(target, values), values, strict=True):
        if isinstance(slope, tf.IndexedSlices):
            summed = tf.math.unsorted_segment_sum(slope.values, slope.indices, tf.shape(value)[0])
            slope = tf.ensure_shape(summed, value.shape)
        slopes.append(slope)
    return slopes
