"""Embedding of raw numbers, for models that do not use the transform of this package."""

from typing import Any

import keras
from keras import ops

from tfmtl.features import NumericalFeature
from tfmtl.layers._shapes import known
from tfmtl.ops.log_round import log_round
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class LogRoundEmbedding(keras.layers.Layer):
    """Embedding of numbers that are discretized by log-round, `h_f = E_f[log_round(x_f)]`.

    The layer serves any Keras model; the models of this package take ids that the transform computes by the same
    formula (`tfmtl.ops.log_round`). Each column has its own `max_bucket - min_bucket + 2` rows of the table; the first
    is that of NaN. Buckets are clipped to their bounds, so that every number has a row.

    Args:
        dim: Width of an embedding.
        scale: Buckets per factor of e; a larger scale is finer.
        min_bucket: Lowest bucket; lower values fall into it. 0 suits counts, a negative bucket distinguishes negative
            numbers.
        max_bucket: Highest bucket; higher values fall into it.
        default: Number that replaces NaN. None gives NaN its own row.
        embeddings_initializer: Initializer of the table.
        embeddings_regularizer: Regularizer of the embeddings that a batch looks up, per row of the batch: its value for
            all of them is divided by the number of rows and added to the losses. A regularizer of the whole table would
            make its gradient dense.

    Call arguments:
        inputs: Raw numbers, `(batch, columns)`.

    Returns:
        `(batch, columns, dim)`.

    Raises:
        ValueError: If `dim` is below 1, `scale` is not positive, or `max_bucket` is not above `min_bucket`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.layers import LogRoundEmbedding
        >>> tuple(LogRoundEmbedding(18)(np.array([[3.0, 1e6], [np.nan, 0.0]])).shape)
        (2, 2, 18)

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), section 3.1
    """

    def __init__(
        self,
        dim: int,
        scale: float = 4.0,
        min_bucket: int = 0,
        max_bucket: int = 64,
        default: float | None = None,
        embeddings_initializer: Initializer = "uniform",
        embeddings_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # Numbers in bfloat16 would fall into other buckets.
        if dim < 1:
            raise ValueError(f"`dim` should be at least 1. Received: {dim}")
        NumericalFeature("numbers", scale=scale, min_bucket=min_bucket, max_bucket=max_bucket)  # Raises ValueError.
        self.dim = dim
        self.scale = scale
        self.min_bucket = min_bucket
        self.max_bucket = max_bucket
        self.default = default
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.rows = max_bucket - min_bucket + 2

    def build(self, input_shape: Shape) -> None:
        self.embedding = keras.layers.Embedding(
            known(input_shape[-1]) * self.rows,
            self.dim,
            self.embeddings_initializer,
            dtype=self.dtype_policy,
            name="table",
        )
        self.embedding.build()

    def call(self, inputs: Tensor) -> Tensor:
        ids = log_round(inputs, self.scale, self.min_bucket, self.max_bucket, self.default)
        embedded = self.embedding(ids + ops.arange(inputs.shape[-1], dtype="int32") * self.rows)
        if self.embeddings_regularizer is not None:
            penalty = self.embeddings_regularizer(ops.cast(embedded, "float32"))
            self.add_loss(penalty / ops.cast(ops.maximum(ops.shape(embedded)[0], 1), "float32"))
        return embedded

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.dim)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "dim": self.dim,
            "scale": self.scale,
            "min_bucket": self.min_bucket,
            "max_bucket": self.max_bucket,
            "default": self.default,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": keras.regularizers.serialize(self.embeddings_regularizer),
        }
