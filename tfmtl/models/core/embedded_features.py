"""Embedding of the transformed features of a dataset."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfmtl.layers import FusedEmbedding
from tfmtl.losses.batch_mean import replica_mean
from tfmtl.model_inputs import (
    dense_lengths,
    embedding_rows,
    multivalent_features,
    shared_fields,
    transformed_inputs,
)
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


class EmbeddedFeatures(keras.Model):
    """Base of `MultiTaskModel` that embeds the features.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    spec: DatasetSpec
    vocabulary_sizes: Mapping[str, int]
    options: Any
    embedding: keras.layers.Layer

    def make_embedding(self) -> keras.layers.Layer:
        """Creates the layer that converts the features to `(batch, fields, width)`."""
        rows = embedding_rows(self.spec, self.vocabulary_sizes)
        unpooled = self.options.unpooled_sequences(self.spec)
        return FusedEmbedding(
            rows,
            self.options.embedding_dim,
            multivalent_features(self.spec),
            unpooled=unpooled,
            shared=shared_fields(self.spec),
            dense=dense_lengths(self.spec),
            name="embedding",
        )

    def make_linear(self, columns: int, name: str) -> FusedEmbedding:
        """Creates a layer that holds weights for each id, initially 0, which are summed in float32 under any policy.

        Args:
            columns: Number of weights of an id.
            name: Name of the layer.
        """
        return FusedEmbedding(
            embedding_rows(self.spec, self.vocabulary_sizes),
            columns,
            multivalent_features(self.spec),
            embeddings_initializer="zeros",
            unpooled=self.options.unpooled_sequences(self.spec),
            shared=shared_fields(self.spec),
            dense=dense_lengths(self.spec),
            dense_initializer="zeros",
            dtype="float32",
            name=name,
        )

    @property
    def sparse_embeddings(self) -> tuple[FusedEmbedding, ...]:
        """Embedding layers of whose tables a batch reads few rows; each is called with the model's features."""
        return (self.embedding,) if isinstance(self.embedding, FusedEmbedding) else ()

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """Types and shapes of the features that the model takes, by name, for any number of rows."""
        return {i.name: tf.TensorSpec((None, *i.shape), i.dtype, i.name) for i in transformed_inputs(self.spec)}

    def zero_batch(self, batch_size: int = 1) -> dict[str, Tensor]:
        """Returns features that are all 0, with the names, types and shapes that the model takes.

        Args:
            batch_size: Number of rows.
        """
        return {i.name: tf.zeros((batch_size, *i.shape), i.dtype) for i in transformed_inputs(self.spec)}

    def embed(self, features: Features) -> Tensor:
        """Embeds the features, and adds the loss of the option `embedding_l2`.

        Args:
            features: Transformed features by name.

        Returns:
            `(batch, fields, embedding_dim)`.
        """
        embedded = self.embedding(features)
        if self.options.embedding_l2:
            squares = ops.sum(ops.square(ops.cast(embedded, "float32")), axis=(1, 2))
            self.add_loss(self.options.embedding_l2 * replica_mean(squares))
        return embedded

    def embed_flat(self, features: Features) -> Tensor:
        """Embeds the features as `embed` does, and concatenates the fields.

        Args:
            features: Transformed features by name.

        Returns:
            `(batch, fields * embedding_dim)`.
        """
        embedded = self.embed(features)
        return ops.reshape(embedded, (-1, embedded.shape[1] * embedded.shape[2]))
