"""One embedding table for all fields of a model."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl.backend import is_tensorflow, require_tensorflow
from tfmtl.features import WEIGHTS_SUFFIX
from tfmtl.layers._dense_fields import add_maps, project
from tfmtl.layers._fields import Fields, normalized, rename_former_keys
from tfmtl.layers._ids import clip_ids, mark_outside
from tfmtl.layers._weights import get_initializer
from tfmtl.types import Config, Features, Initializer, Regularizer, Shape, Tensor, TensorLike

if is_tensorflow():
    from tfmtl.backend.tensorflow import embedding as tensorflow_embedding
    from tfmtl.backend.tensorflow import listed_ids as tensorflow_listed_ids

MAX_PADDED_COLUMNS = 16
"""Number of columns up to which looking up padding takes less time than leaving it out."""

_overrides = threading.local()


@keras.saving.register_keras_serializable(package="tfmtl")
class FusedEmbedding(keras.layers.Layer):
    """Embedding of all fields of a model in one table, looked up with a single gather.

    The ids of field f start at row o_f of the table E: `h_f = E[o_f + id]`. A multivalent field, which holds several
    ids with weights w per row, has their weighted mean, `h_f = sum_j w_j E[o_f + id_j] / sum_j w_j`, or 0 where all
    weights are 0. An unpooled multivalent field counts as one field for each position, `h_{f,j} = w_j E[o_f + id_j]`,
    which is 0 at an absent position.

    However many fields there are, one table means one gather, one gradient and one optimizer update. On TensorFlow the
    gradient is a `tf.IndexedSlices` of the looked-up rows, so that the cost of a step does not depend on the size of
    the vocabulary. On JAX and PyTorch the gradient has the size of the table.

    On TensorFlow the padding of long lists is not looked up, so that a step costs what its ids cost.

    Args:
        vocab_sizes: Number of ids of each field, in the order of the fields of the output.
        output_dim: Width of an embedding.
        multivalent: Names of the fields that hold several ids per row; their weights are the input `<field>__weights`.
        embeddings_initializer: Initializer of the table.
        unpooled: Names of the multivalent fields that are one field for each position.
        embeddings_regularizer: Regularizer of the embeddings that a batch looks up, per row of the batch: its value for
            all looked-up embeddings, without those of absent positions, is divided by the number of rows and added to
            the losses. A regularizer of the whole table would make its gradient dense.
        shared: Field whose embeddings a field uses, by the name of the latter; both have the same number of ids.
        dense: Length of the vector x of each dense field, `h_f = x W_f + b_f`; these follow the other fields.
        dense_initializer: Initializer of the kernels W of dense fields; their biases b are 0 at first.

    Call arguments:
        inputs: A dict of integer ids, `(batch,)` for a field and `(batch, length)` for a multivalent one, of the
            weights of multivalent fields, `(batch, length)`, and of the vectors of dense fields, `(batch, length)`. Ids
            of absent positions, which have weight 0, should be in the field too. Other entries are ignored.

    Returns:
        `(batch, fields, output_dim)`, an unpooled field counted once for each position. On JAX and PyTorch the
        embedding of an id outside its field is NaN.

    Raises:
        ValueError: If a field, or the weights of a multivalent field, are missing from the inputs.
        tf.errors.InvalidArgumentError: If an id is negative or at least the size of its field (on TensorFlow, on CPU).
            It is not raised where TensorFlow has a GPU, or from code compiled by XLA: there an id outside its field may
            read the row of another field.

    Example:
        >>> import numpy as np
        >>> from tfmtl.layers import FusedEmbedding
        >>> layer = FusedEmbedding({"user": 100, "tags": 50}, output_dim=8, multivalent=["tags"])
        >>> inputs = {
        ...     "user": np.array([3, 99]),
        ...     "tags": np.array([[7, 2, 0], [1, 0, 0]]),
        ...     "tags__weights": np.array([[1.0, 0.5, 0.0], [1.0, 0.0, 0.0]], "float32"),
        ... }
        >>> tuple(layer(inputs).shape)
        (2, 2, 8)
    """

    def __init__(
        self,
        vocab_sizes: Mapping[str, int],
        output_dim: int,
        multivalent: Sequence[str] = (),
        embeddings_initializer: Initializer = "uniform",
        unpooled: Sequence[str] = (),
        embeddings_regularizer: Regularizer = None,
        shared: Mapping[str, str] | None = None,
        dense: Mapping[str, int] | None = None,
        dense_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._fields = Fields(dict(vocab_sizes), tuple(multivalent), tuple(unpooled), dict(shared or {}))
        self.shared = self._fields.shared
        self.dense = dict(dense or {})
        self.dense_initializer = get_initializer(dense_initializer)
        if output_dim < 1:
            raise ValueError(f"`output_dim` should be at least 1. Received: {output_dim}")
        self.vocab_sizes = self._fields.vocab_sizes
        self.output_dim = output_dim
        self.multivalent = self._fields.multivalent
        self.unpooled = self._fields.unpooled
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.offsets, self.total_rows = self._fields.table_offsets()

    def build(self, input_shape: Mapping[str, Shape] | None = None) -> None:
        self.table = self.add_weight(
            shape=(self.total_rows, self.output_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # Rows are cast after the gather; casting the table would read all of it.
            name="table",
        )

        self.kernels, self.biases = add_maps(self, self.dense, self.output_dim, self.dense_initializer)

    def call(self, inputs: Features) -> Tensor:
        if is_tensorflow() and self._mean_columns(inputs) > MAX_PADDED_COLUMNS:
            embedded = self._without_padding(inputs)
        else:
            embedded = self._fields.pool_all(ops.cast(self._look_up(inputs), self.compute_dtype), inputs)
        if not self.dense:
            return embedded
        return ops.concatenate([embedded, ops.stack(list(self._project(inputs).values()), axis=1)], axis=1)

    def _project(self, inputs: Features) -> dict[str, Tensor]:
        return project(inputs, self.kernels, self.biases, self.compute_dtype)

    def lookup(self, inputs: Features) -> dict[str, Tensor]:
        """Looks up the embeddings by field, with one gather.

        Args:
            inputs: Ids and weights by name, as in a call.

        Returns:
            `(batch, output_dim)` by field, and `(batch, length, output_dim)` for an unpooled field.
        """
        looked_up = self._fields.pool(ops.cast(self._look_up(inputs), self.compute_dtype), inputs)
        return looked_up | self._project(inputs)

    def _mean_columns(self, inputs: Features) -> int:
        """Returns the number of columns of the multivalent fields that are pooled."""
        lists = [field for field in self.multivalent if field not in self.unpooled and field in inputs]
        return sum(inputs[field].shape[1] for field in lists)

    def _without_padding(self, inputs: Features) -> Tensor:
        """Computes `call`, without a lookup of padding in the fields that are pooled."""
        ids, fields = self._fields.ids(inputs)
        lists = [field for field in self.multivalent if field not in self.unpooled]
        rows, listed = self._table_rows(ids, fields), np.isin(fields, lists)
        list_ids, list_rows = _columns(ids, listed), _columns(rows, listed)
        weights = [ops.cast(inputs[field + WEIGHTS_SUFFIX], self.compute_dtype) for field in lists]
        all_weights = ops.concatenate(weights, axis=1)
        places = tensorflow_listed_ids.kept_places(list_ids, all_weights)
        others, batch = _columns(rows, ~listed), ops.shape(ids)[0]
        flat = ops.concatenate([ops.reshape(others, (-1,)), tensorflow_listed_ids.at(list_rows, places)], axis=0)
        padded, values = tensorflow_listed_ids.split(self._gather(flat), batch * others.shape[1])
        padded = ops.reshape(padded, (batch, others.shape[1], self.output_dim))
        if self.embeddings_regularizer is not None:
            present = ops.cast(tensorflow_listed_ids.at(all_weights, places) != 0, values.dtype)[:, None]
            masked = ops.reshape(padded * self._presence(padded, inputs, self.unpooled), (-1, self.output_dim))
            self._add_penalty(ops.concatenate([masked, values * present], axis=0), batch)
        values, padded = ops.cast(values, self.compute_dtype), ops.cast(padded, self.compute_dtype)
        numbers = np.array([lists.index(field) for field in fields if field in lists])
        shares = ops.concatenate([normalized(one) for one in weights], axis=1)
        means = tensorflow_listed_ids.sum_by_field(values, shares, places, numbers, (batch, len(lists)))
        single_valued, unpooled = self._fields.divide(padded)
        multivalent = self._fields.pool_multivalent(unpooled, inputs, self.unpooled)
        multivalent |= dict(zip(lists, ops.unstack(means, axis=1), strict=True))
        return self._fields.concatenate(single_valued, multivalent)

    def _look_up(self, inputs: Features) -> Tensor:
        """Looks up the rows of all ids, `(batch, columns, output_dim)`."""
        ids, fields = self._fields.ids(inputs)
        table_rows = self._table_rows(ids, fields)
        if is_tensorflow():
            values = self._gather(table_rows)
        else:
            values = mark_outside(ops.take(self.table, table_rows, axis=0), ids, self.vocab_sizes, fields)
        if self.embeddings_regularizer is not None:
            self._add_penalty(values * self._presence(values, inputs, self.multivalent), ops.shape(values)[0])
        return values

    def _table_rows(self, ids: Tensor, fields: Sequence[str]) -> Tensor:
        offsets = np.array([self.offsets[field] for field in fields], keras.backend.standardize_dtype("int"))
        return ops.add(clip_ids(ids, self.vocab_sizes, fields), offsets)

    def _gather(self, table_rows: Tensor) -> Tensor:
        by_layer: dict[int, tuple[TensorLike, TensorLike]] = getattr(_overrides, "by_layer", {})
        if id(self) not in by_layer:
            return tensorflow_embedding.gather_rows(self.table, table_rows)
        rows, values = by_layer[id(self)]
        return tensorflow_embedding.gather_overridden_rows(rows, values, table_rows, self.name)

    def _presence(self, values: Tensor, inputs: Features, multivalent: Sequence[str]) -> Tensor:
        """Returns 1 for each embedding of `values` and 0 for those of absent positions, `(batch, columns, 1)`."""
        masks = [ops.ones_like(values[:, : len(self._fields.single_valued), :1])]
        for field in multivalent:
            present = ops.cast(inputs[field + WEIGHTS_SUFFIX], values.dtype) != 0
            masks.append(ops.cast(present, values.dtype)[:, :, None])
        return ops.concatenate(masks, axis=1)

    def _add_penalty(self, values: Tensor, batch: Tensor) -> None:
        penalty = self.embeddings_regularizer(values)
        self.add_loss(penalty / ops.cast(ops.maximum(batch, 1), penalty.dtype))

    def unique_rows(self, inputs: Features) -> Tensor:
        """Returns the rows of the table that inputs look up, each once, in ascending order; needs TensorFlow.

        Args:
            inputs: Ids and weights by name, as in a call.

        Returns:
            `(rows,)` int64.
        """
        require_tensorflow("`FusedEmbedding.unique_rows`")
        return tensorflow_embedding.unique_rows(self._table_rows(*self._fields.ids(inputs)))

    @contextlib.contextmanager
    def override_rows(self, rows: TensorLike, values: TensorLike) -> Iterator[None]:
        """Looks rows up in a tensor instead of the table, inside the `with` block and this thread; needs TensorFlow.

        A function that is evaluated at other values than the variables', such as a step of gradient descent that is
        itself differentiated, then needs only the few rows of a batch as a tensor and not the whole table:

        ```python
        rows = embedding.unique_rows(features)
        values = tf.gather(embedding.table.value, rows)
        with embedding.override_rows(rows, values - 0.1 * gradient):
            embedding(features)
        ```

        Args:
            rows: Rows of the table, each once, in ascending order, `(rows,)`.
            values: Values of these rows inside the block, `(rows, output_dim)`.

        Raises:
            tf.errors.InvalidArgumentError: If a call in the block looks up a row that is not in `rows`.
        """
        require_tensorflow("`FusedEmbedding.override_rows`")
        outer = getattr(_overrides, "by_layer", {})
        _overrides.by_layer = {**outer, id(self): (rows, values)}
        try:
            yield
        finally:
            _overrides.by_layer = outer

    def compute_output_shape(self, input_shape: Mapping[str, Shape]) -> Shape:
        return self._fields.output_shape(input_shape, self.output_dim, len(self.dense))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "vocab_sizes": self.vocab_sizes,
            "output_dim": self.output_dim,
            "multivalent": list(self.multivalent),
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "unpooled": list(self.unpooled),
            "embeddings_regularizer": keras.regularizers.serialize(self.embeddings_regularizer),
            "shared": self.shared,
            "dense": self.dense,
            "dense_initializer": keras.initializers.serialize(self.dense_initializer),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "FusedEmbedding":
        layer: FusedEmbedding = super().from_config(rename_former_keys(config))
        return layer


def _columns(matrix: Tensor, selected: np.ndarray) -> Tensor:
    """Returns some columns of a matrix."""
    return matrix if selected.all() else ops.take(matrix, np.flatnonzero(selected), axis=1)
