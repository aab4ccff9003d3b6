"""Losses of a model as a function of its parameters, without an operation on a whole embedding table."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmtl.training.strategy import Losses, TrainableModel
from tfmtl.types import Features, Labels, Tensor


class FunctionalParameters:
    """Trainable parameters of a model as tensors, in the order of `model.trainable_variables`.

    The tensor of an embedding table holds only the rows that a batch looks up (`FusedEmbedding.override_rows`), so that
    the cost does not depend on the size of the vocabulary.

    Args:
        model: The model.
        features: Features of a batch. Losses can be computed for rows of this batch.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training.functional import FunctionalLosses, FunctionalParameters
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> features, labels = {"user": np.array([3, 3, 7])}, {"click": np.array([0.0, 1.0, 1.0])}
        >>> parameters = FunctionalParameters(model, features)
        >>> values = parameters.initial_values()
        >>> values[0].shape
        TensorShape([2, 16])
        >>> losses = FunctionalLosses(parameters)([0.5 * value for value in values], features, labels)
    """

    def __init__(self, model: TrainableModel, features: Features):
        self.model = model
        self.variables = model.trainable_variables
        trainable = {id(variable) for variable in self.variables}
        layers = [layer for layer in model.sparse_embeddings if layer.built and id(layer.table) in trainable]
        self.tables = {id(layer.table): (layer, layer.unique_rows(features)) for layer in layers}

    def initial_values(self) -> list[Tensor]:
        """Returns the values of the variables; of an embedding table, the values of the rows of the batch."""
        values = []
        for variable in self.variables:
            if id(variable) in self.tables:
                values.append(tf.gather(variable.value, self.tables[id(variable)][1]))
            else:
                values.append(tf.convert_to_tensor(variable.value))
        return values

    def to_variable_gradients(self, gradients: Sequence[Tensor | None]) -> list[Any]:
        """Converts gradients by the tensors to gradients by the variables.

        Args:
            gradients: Gradients by the tensors of `initial_values`; None where the target does not depend on one.

        Returns:
            Gradients by the variables; of an embedding table, a `tf.IndexedSlices` of the rows of the batch.
        """
        converted = []
        for variable, gradient in zip(self.variables, gradients, strict=True):
            if gradient is not None and id(variable) in self.tables:
                rows = self.tables[id(variable)][1]
                gradient = tf.IndexedSlices(gradient, rows, tf.constant(tuple(variable.shape), "int64"))
            converted.append(gradient)
        return converted


class FunctionalLosses:
    """Losses of a model at given values of its trainable parameters.

    Other variables that a forward pass changes (seeds of dropout, moving averages) keep their new values from one call
    to the next. `write_state` assigns them to the model.

    Args:
        parameters: Parameters of the model.

    Call arguments:
        values: Values of the parameters, as `FunctionalParameters.initial_values` returns them.
        features: Features by name, rows of the batch of `parameters`.
        labels: Labels of the same rows by task name.
        sample_weight: Weights of the same rows, or None.

    Returns:
        Losses of a forward pass in training mode.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training.functional import FunctionalLosses, FunctionalParameters
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> features, labels = {"user": np.array([3, 3, 7])}, {"click": np.array([0.0, 1.0, 1.0])}
        >>> parameters = FunctionalParameters(model, features)
        >>> losses = FunctionalLosses(parameters)(parameters.initial_values(), features, labels)
        >>> bool(losses.total == model.compute_losses(features, labels).total)
        True
    """

    def __init__(self, parameters: FunctionalParameters):
        self._parameters = parameters
        self._state: dict[int, tuple[Any, Tensor]] = {}

    def __call__(
        self, values: Sequence[Tensor], features: Features, labels: Labels, sample_weight: Any = None
    ) -> Losses:
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
        """Assigns the variables that the calls have changed, other than the parameters."""
        for variable, value in self._state.values():
            variable.assign(value)


def dense_gradient(tape: tf.GradientTape, target: Tensor, values: Sequence[Tensor]) -> list[Tensor | None]:
    """Computes gradients as dense tensors that are differentiable themselves.

    The gradient of a gather is a `tf.IndexedSlices`, whose slices are summed here.

    Args:
        tape: Tape that has recorded the target.
        target: Scalar to differentiate.
        values: Tensors by which it is differentiated.

    Returns:
        A tensor of the shape of each value; None where the target does not depend on the value.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.functional import dense_gradient
        >>> table = tf.constant([1.0, 2.0, 3.0])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(table)
        ...     target = tf.reduce_sum(tf.gather(table, [0, 0, 2]))
        >>> dense_gradient(tape, target, [table])[0].numpy().tolist()
        [2.0, 0.0, 1.0]
    """
    gradients = []
    for gradient, value in zip(tape.gradient(target, values), values, strict=True):
        if isinstance(gradient, tf.IndexedSlices):
            summed = tf.math.unsorted_segment_sum(gradient.values, gradient.indices, tf.shape(value)[0])
            gradient = tf.ensure_shape(summed, value.shape)
        gradients.append(gradient)
    return gradients
