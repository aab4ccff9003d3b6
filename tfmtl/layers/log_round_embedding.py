"""Raw numbers as embeddings, for models that do not go through the package's transform."""

from typing import Any

import keras
from keras import ops

from tfmtl.features import NumericalFeature
from tfmtl.ops.log_round import log_round


@keras.saving.register_keras_serializable(package="tfmtl")
class LogRoundEmbedding(keras.layers.Layer):
    """Discretizes numbers by log-round and embeds them: `h_f = E_f[log_round(x_f)]`.

    A stand-alone layer for any Keras model; the models of this package take ids that the transform made by the same
    formula. Each column has `max_bucket - min_bucket + 2` rows of its own; the first is that of NaN.

    Args:
        dim: width of an embedding.
        scale: buckets per factor of e; larger is finer.
        min_bucket: values below it share it. 0 suits counts; a negative one keeps negative numbers apart.
        max_bucket: values above it share it.
        default: the number that stands for NaN; by default NaN has a row of its own.
        embeddings_initializer: of the table.

    Call arguments:
        inputs: raw numbers, `(batch, columns)`.

    Returns:
        `(batch, columns, dim)`.

    Example:
        >>> LogRoundEmbedding(18)(keras.ops.array([[3.0, 1e6], [float("nan"), 0.0]])).shape
        TensorShape([2, 2, 18])

    References:
        - APEM, section 3.1
    """

    def __init__(
        self,
        dim: int,
        scale: float = 4.0,
        min_bucket: int = 0,
        max_bucket: int = 64,
        default: float | None = None,
        embeddings_initializer: Any = "uniform",
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)  # Numbers cast to bfloat16 would fall in other buckets.
        if dim < 1:
            raise ValueError(f"`dim` should be at least 1. Received: {dim}")
        NumericalFeature("numbers", scale=scale, min_bucket=min_bucket, max_bucket=max_bucket)  # Raises ValueError.
        self.dim = dim
        self.scale = scale
        self.min_bucket = min_bucket
        self.max_bucket = max_bucket
        self.default = default
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.rows = max_bucket - min_bucket + 2

    def build(self, input_shape):
        self.embedding = keras.layers.Embedding(
            input_shape[-1] * self.rows, self.dim, self.embeddings_initializer, dtype=self.dtype_policy, name="table"
        )
        self.embedding.build()

    def call(self, inputs):
        ids = log_round(inputs, self.scale, self.min_bucket, self.max_bucket, self.default)
        return self.embedding(ids + ops.arange(inputs.shape[-1], dtype="int32") * self.rows)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "scale": self.scale,
            "min_bucket": self.min_bucket,
            "max_bucket": self.max_bucket,
            "default": self.default,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
