"""Raw features of requests, as serialized tf.Examples or as one tensor for each feature."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfmtl.alignment import align_right
from tfmtl.features import SEQUENCES, CategoricalFeature, MultiValuedFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec

EXAMPLES = "examples"


@dataclasses.dataclass(frozen=True)
class RawInput:
    """One tensor of raw values, in which "" and NaN are missing values.

    A sequence has a fixed length, because its positions have a meaning: the last column is the most recent position of
    every row, and a shorter sequence is padded on the left.

    Attributes:
        name: Name of the input.
        dtype: Type of its elements.
        is_multivalent: True for the shape `(batch, length)`, False for `(batch,)`.
        required: True if each row must have a value.
        length: Length of a sequence. None for a multivalent feature whose length depends on the request.
    """

    name: str
    dtype: tf.DType
    is_multivalent: bool
    required: bool
    length: int | None = None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Shape with the batch dimension."""
        return (None, self.length) if self.is_multivalent else (None,)


def raw_inputs(spec: DatasetSpec) -> tuple[RawInput, ...]:
    """Returns the raw tensors of a spec: its features, and the weights of its multi-valued features."""
    inputs = []
    for feature in spec.features:
        if isinstance(feature, CategoricalFeature):
            inputs.append(RawInput(feature.name, tf.string, False, feature.required))
        elif isinstance(feature, NumericalFeature):
            inputs.append(RawInput(feature.name, tf.float32, False, feature.required))
        else:
            dtype = tf.float32 if isinstance(feature, NumberSequenceFeature) else tf.string
            length = feature.max_length if isinstance(feature, SEQUENCES) else None
            inputs.append(RawInput(feature.name, dtype, True, False, length))
            if isinstance(feature, MultiValuedFeature) and feature.weights:
                inputs.append(RawInput(feature.weights, tf.float32, True, False))
    return tuple(inputs)


def parsing_spec(spec: DatasetSpec) -> dict[str, Any]:
    """Returns the feature spec for `tf.io.parse_example`; only required features must be present."""
    return {
        i.name: tf.io.FixedLenFeature([], i.dtype) if i.required else tf.io.VarLenFeature(i.dtype)
        for i in raw_inputs(spec)
    }


def parse_examples(spec: DatasetSpec, examples: Any) -> dict[str, tf.SparseTensor]:
    """Returns the raw features of serialized tf.Examples, without missing values.

    As the pipeline does with the rows of a log, "" and NaN are taken for missing values, and an empty token of a
    multi-valued feature is left out with the weight at its position.

    Args:
        spec: Spec of the dataset.
        examples: Serialized tf.Examples, `(batch,)`.

    Returns:
        `tf.SparseTensor`s by name, as the transform takes them.

    Raises:
        tf.errors.InvalidArgumentError: If an example cannot be parsed, or lacks a required feature.
    """
    parsed = tf.io.parse_example(examples, parsing_spec(spec))
    features: dict[str, tf.SparseTensor] = {}
    for feature in spec.features:
        values = parsed[feature.name]
        if isinstance(values, tf.Tensor):  # Required.
            features[feature.name] = _single(feature.name, values, required=True)
        elif isinstance(feature, SEQUENCES):
            features[feature.name] = values
        elif isinstance(feature, MultiValuedFeature) and feature.weights:
            tokens = tf.sparse.to_dense(values, "")
            weights = tf.RaggedTensor.from_sparse(parsed[feature.weights])
            weights = weights.to_tensor(float("nan"), shape=(None, None))[:, : tf.shape(tokens)[1]]
            missing = tf.fill(tf.stack([tf.shape(tokens)[0], tf.shape(tokens)[1] - tf.shape(weights)[1]]), float("nan"))
            features.update(_weighted(feature, tokens, tf.concat([weights, missing], 1)))
        else:
            present = _present(values.values)
            rows = tf.RaggedTensor.from_sparse(values)
            features[feature.name] = tf.ragged.boolean_mask(rows, rows.with_values(present)).to_sparse()
    return features


def from_tensors(spec: DatasetSpec, tensors: Mapping[str, Any]) -> dict[str, tf.SparseTensor]:
    """Returns the raw features of one dense tensor for each feature.

    A missing value is "" or NaN. In a multi-valued feature the token "" is padding, whatever its weight. Where all
    weights of a row are NaN, its tokens have no weights, which means 1; where some are, a token whose weight is NaN has
    weight 0. In a sequence a missing value leaves its position empty, and the other values keep theirs.

    Args:
        spec: Spec of the dataset.
        tensors: Tensors of `raw_inputs(spec)` by name.

    Returns:
        `tf.SparseTensor`s by name, as the transform takes them.

    Raises:
        tf.errors.InvalidArgumentError: If a required feature is missing, or a feature and its weights differ in shape.
    """
    features: dict[str, tf.SparseTensor] = {}
    for feature in spec.features:
        tensor = tensors[feature.name]
        if isinstance(feature, CategoricalFeature | NumericalFeature):
            features[feature.name] = _single(feature.name, tensor, feature.required)
        elif isinstance(feature, SEQUENCES):
            features[feature.name] = _sparse(tensor)
        elif isinstance(feature, MultiValuedFeature) and feature.weights:
            weights = tensors[feature.weights]
            message = f"`{feature.weights}` should have the shape of `{feature.name}`"
            same = tf.reduce_all(tf.equal(tf.shape(weights), tf.shape(tensor)))
            with tf.control_dependencies([tf.debugging.Assert(same, [message])]):
                weights = tf.identity(weights)
            features.update(_weighted(feature, tensor, weights))
        else:
            features[feature.name] = _sparse(tensor, _present(tensor))
    return features


def to_tensors(spec: DatasetSpec, features: Mapping[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
    """Returns one dense tensor for each feature, with "" and NaN for missing values: the inverse of `from_tensors`.

    Args:
        spec: Spec of the dataset.
        features: `tf.SparseTensor`s by name.
    """
    tensors = {}
    for i in raw_inputs(spec):
        default: Any = "" if i.dtype == tf.string else float("nan")
        sparse = features[i.name] if i.length is None else align_right(features[i.name], i.length)
        dense = tf.sparse.to_dense(sparse, default_value=default)
        tensors[i.name] = (
            dense if i.is_multivalent else tf.concat([dense, tf.fill([tf.shape(dense)[0], 1], default)], 1)[:, 0]
        )
    return tensors


def _single(name: str, values: tf.Tensor, required: bool) -> tf.SparseTensor:
    """Returns the values `(batch,)` of a feature with one value, without missing ones, which may be an error."""
    present = _present(values)
    if required:
        message = f"`{name}` should have a value in every row, the spec requires it"
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(present), [message])]):
            present = tf.identity(present)
    return _sparse(tf.expand_dims(values, 1), tf.expand_dims(present, 1))


def _weighted(feature: MultiValuedFeature, tokens: tf.Tensor, weights: tf.Tensor) -> dict[str, tf.SparseTensor]:
    """Returns tokens and weights `(batch, length)` without the positions of missing tokens.

    A row without any weight has none; otherwise a missing weight is 0, as the transform takes it.
    """
    present, missing = _present(tokens), tf.math.is_nan(weights)
    has_weights = tf.reduce_any(tf.logical_and(present, tf.logical_not(missing)), axis=1, keepdims=True)
    weights = tf.where(missing, tf.zeros_like(weights), weights)
    kept = tf.logical_and(present, has_weights)
    return {feature.name: _sparse(tokens, present), str(feature.weights): _sparse(weights, kept)}


def _present(tensor: tf.Tensor) -> tf.Tensor:
    return tf.not_equal(tensor, "") if tensor.dtype == tf.string else tf.logical_not(tf.math.is_nan(tensor))


def _sparse(tensor: tf.Tensor, present: Any = None) -> tf.SparseTensor:
    """Returns the present values of a matrix, moved to the left of their row."""
    present = tf.ones_like(tensor, tf.bool) if present is None else present
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(tensor, present), tf.reduce_sum(tf.cast(present, tf.int64), 1)
    ).to_sparse()
