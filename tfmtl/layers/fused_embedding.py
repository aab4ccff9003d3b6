"""One embedding table for all fields of a model."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfmtl.features import WEIGHTS_SUFFIX

_overrides = threading.local()


@keras.saving.register_keras_serializable(package="tfmtl")
class FusedEmbedding(keras.layers.Layer):
    """Looks up all fields in one table, each at an offset of its own, with a single gather.

    For a field f whose ids start at row `o_f`: `h_f = E[o_f + id]`; for a bag of ids with weights w (a multi-valued
    field), their weighted mean `h_f = sum_j w_j E[o_f + id_j] / sum_j w_j`, which is 0 for an empty bag. A bag that is
    kept apart is as many fields as it has places, `h_{f,j} = w_j E[o_f + id_j]`: 0 where a place is absent. One table
    means one gather, one sparse gradient and one optimizer update however many fields there are; the gradient is a
    `tf.IndexedSlices` of the looked-up rows, so that a step costs the same whatever the vocabulary.

    Args:
        vocab_sizes: how many ids each field has; the order is that of the output's fields.
        output_dim: width d of an embedding.
        multivalent: the fields that hold several ids; their weights are the input `<field>__weights`.
        embeddings_initializer: of the table.
        unpooled: the bags that are a field for each place, in the order of their places.

    Call arguments:
        inputs: a dict; `(batch,)` whole numbers for a field, `(batch, length)` ids and weights for a bag. Other
            entries are left alone.

    Returns:
        `(batch, fields, dim)`; a bag that is kept apart counts as many fields as it has places.

    Raises:
        ValueError: if a field, or the weights of a bag, are absent from the inputs.
        tf.errors.InvalidArgumentError: if an id is outside the table (on CPU).

    Example:
        >>> layer = FusedEmbedding({"user": 100, "item": 50}, output_dim=8)
        >>> layer({"user": tf.constant([3, 4]), "item": tf.constant([0, 49])}).shape
        TensorShape([2, 2, 8])
    """

    def __init__(
        self,
        vocab_sizes: Mapping[str, int],
        output_dim: int,
        multivalent: Sequence[str] = (),
        embeddings_initializer: Any = "uniform",
        unpooled: Sequence[str] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not vocab_sizes or any(size < 1 for size in vocab_sizes.values()):
            raise ValueError(f"`vocab_sizes` should give every field at least one row. Received: {dict(vocab_sizes)}")
        if output_dim < 1:
            raise ValueError(f"`output_dim` should be at least 1. Received: {output_dim}")
        unknown = [field for field in multivalent if field not in vocab_sizes]
        if unknown:
            raise ValueError(f"`multivalent` should be fields of `vocab_sizes`. Received: {unknown}")
        singles = [field for field in unpooled if field not in multivalent]
        if singles:
            raise ValueError(f"`unpooled` should be of the `multivalent`. Received: {singles}")
        self.vocab_sizes = dict(vocab_sizes)
        self.output_dim = output_dim
        self.multivalent = tuple(multivalent)
        self.unpooled = tuple(unpooled)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        starts = [0]
        for count in self.vocab_sizes.values():
            starts.append(starts[-1] + count)
        self.offsets = dict(zip(self.vocab_sizes, starts[:-1], strict=True))
        self.total_rows = starts[-1]
        self._singles = [field for field in self.vocab_sizes if field not in self.multivalent]

    def build(self, input_shape=None):
        self.table = self.add_weight(
            shape=(self.total_rows, self.output_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # Rows are cast after the gather; casting the table would cost a pass over all of it.
            name="table",
        )

    def call(self, inputs):
        if not self.multivalent:  # The gather gives the fields in their order: taking them apart would only cost.
            return ops.cast(self._gather(self._places(inputs)), self.compute_dtype)
        embedded = self.lookup(inputs)
        fields = [embedded[field] if field in self.unpooled else embedded[field][:, None] for field in self.vocab_sizes]
        return ops.concatenate(fields, axis=1)

    def lookup(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The embeddings by name, with one gather too: `(batch, dim)`, and `(batch, length, dim)` of a bag kept apart.

        Args:
            inputs: those of a call.
        """
        rows = ops.cast(self._gather(self._places(inputs)), self.compute_dtype)
        embedded = {field: rows[:, i] for i, field in enumerate(self._singles)}
        start = len(self._singles)
        for field in self.multivalent:
            length = inputs[field].shape[1]
            places = rows[:, start : start + length]
            embedded[field] = self._weigh(field, places, inputs[field + WEIGHTS_SUFFIX])
            start += length
        return embedded

    def _places(self, inputs):
        """The rows of the table that each example looks up, `(batch, places)`; the bags' places stand last."""
        needed = [*self.vocab_sizes, *(bag + WEIGHTS_SUFFIX for bag in self.multivalent)]
        absent = [name for name in needed if name not in inputs]
        if absent:
            raise ValueError(f"`inputs` should hold every field. Received none for: {', '.join(absent)}")
        ids = [ops.cast(inputs[field], "int64")[:, None] + self.offsets[field] for field in self._singles]
        ids += [ops.cast(inputs[field], "int64") + self.offsets[field] for field in self.multivalent]
        return ops.concatenate(ids, axis=1)

    def _gather(self, places):
        override_rows = getattr(_overrides, "by_layer", {}).get(id(self))
        if (
            override_rows is None
        ):  # The gather reads the variable itself, so that its gradient stays a `tf.IndexedSlices`.
            return tf.gather(self.table.value, places)
        rows, values = override_rows
        positions = tf.minimum(tf.searchsorted(rows, tf.reshape(places, [-1])), tf.size(rows) - 1)
        positions = tf.reshape(positions, tf.shape(places))
        message = f"{self.name} should look up rows that its stand-in holds"
        with tf.control_dependencies([tf.debugging.assert_equal(tf.gather(rows, positions), places, message)]):
            return tf.gather(values, positions)

    def unique_rows(self, inputs: Mapping[str, Any]) -> Any:
        """The rows of the table that the inputs look up: each once, in ascending order, `(rows,)` int64."""
        rows, _ = tf.unique(tf.reshape(self._places(inputs), [-1]))
        return tf.sort(rows)

    @contextlib.contextmanager
    def override_rows(self, rows: Any, values: Any) -> Iterator[None]:
        """Inside the `with` block, and in this thread, the layer looks its rows up in `values` instead of its table.

        A function of the parameters that is not evaluated at the variables, such as a step of gradient descent that
        is itself differentiated, needs the few rows of a batch as a tensor and never the whole table:

        ```python
        rows = embedding.unique_rows(features)
        values = tf.gather(embedding.table.value, rows)
        with embedding.override_rows(rows, values - 0.1 * gradient):
            embedding(features)
        ```

        Args:
            rows: of the table, each once, in ascending order.
            values: `(rows, dim)`, what the block has in their place.

        Raises:
            tf.errors.InvalidArgumentError: from a call in the block that looks up another row.
        """
        outer = getattr(_overrides, "by_layer", {})
        _overrides.by_layer = {**outer, id(self): (rows, values)}
        try:
            yield
        finally:
            _overrides.by_layer = outer

    def _weigh(self, field, rows, weights):
        """The weighted mean of a bag's places; of one that is kept apart, its weighted places."""
        weights = ops.cast(weights, self.compute_dtype)
        if field in self.unpooled:
            return weights[:, :, None] * rows
        total = ops.sum(weights, axis=1, keepdims=True)
        safe = ops.where(total == 0, ops.ones_like(total), total)
        return ops.einsum("bl,bld->bd", weights / safe, rows)

    def compute_output_shape(self, input_shape):
        fields = sum(input_shape[field][1] if field in self.unpooled else 1 for field in self.vocab_sizes)
        return (next(iter(input_shape.values()))[0], fields, self.output_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_sizes": self.vocab_sizes,
            "output_dim": self.output_dim,
            "multivalent": list(self.multivalent),
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "unpooled": list(self.unpooled),
        }
