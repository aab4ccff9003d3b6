"""Raw features of requests, as serialized tf.Examples or as one tensor for each feature."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfmtl.alignment import align_right
from tfmtl.features import (
    NUMBER_COLUMNS,
    POSITIONS,
    CategoricalFeature,
    DenseFeature,
    MultiValuedFeature,
    NumericalFeature,
)
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
            dtype = tf.float32 if isinstance(feature, NUMBER_COLUMNS) else tf.string
            length = feature.max_length if isinstance(feature, POSITIONS) else None
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
    """Returns the raw features of serialized tf.Examples.

    As in a log, the token "" of a multi-valued feature is removed with its weight. If no token of a row has a weight
    other than NaN, all of them have weight 1; otherwise, those without a weight have weight 0.

    Args:
        spec: Spec of the dataset.
        examples: Serialized tf.Examples, `(batch,)`.

    Returns:
        `tf.SparseTensor`s by name, as the transform takes them.

    Raises:
        tf.errors.InvalidArgumentError: If an example cannot be parsed, or lacks a required feature.
    """
    parsed = tf.io.parse_example(examples, parsing_spec(spec))
    features = dict(parsed)
    for feature in spec.features:
        tensor = parsed[feature.name]
        if isinstance(feature, MultiValuedFeature):
            features |= _multi_valued(feature, {name: _dense(parsed[name]) for name in _columns(feature)})
        elif isinstance(feature, DenseFeature):
            features[feature.name] = _require_length(feature, tensor)
        elif isinstance(tensor, tf.Tensor):
            features[feature.name] = _sparse(tf.expand_dims(_require(feature.name, tensor), 1))
    return features


def from_tensors(spec: DatasetSpec, tensors: Mapping[str, Any]) -> dict[str, tf.SparseTensor]:
    """Returns the raw features of one dense tensor for each feature.

    A missing value is "" or NaN. In a multi-valued feature the token "" is padding, whatever its weight; weights count
    as in `parse_examples`. In a sequence a missing value leaves its position empty, and the other values keep theirs.

    Args:
        spec: Spec of the dataset.
        tensors: Tensors of `raw_inputs(spec)` by name.

    Returns:
        `tf.SparseTensor`s by name, as the transform takes them.

    Raises:
        tf.errors.InvalidArgumentError: If a required feature is missing, or a feature and its weights differ in shape.
    """
    features: dict[str, tf.SparseTensor] = {}
    scalars: dict[tf.DType, dict[str, Any]] = {tf.string: {}, tf.float32: {}}
    for feature in spec.features:
        tensor = tensors[feature.name]
        if isinstance(feature, CategoricalFeature | NumericalFeature):
            tensor = _require(feature.name, tensor) if feature.required else tensor
            scalars[tensor.dtype][feature.name] = tensor
        elif isinstance(feature, POSITIONS):
            features[feature.name] = _sparse(tensor)
        else:
            features |= _multi_valued(feature, {name: tensors[name] for name in _columns(feature)})
    for columns in scalars.values():
        features |= _scalars(columns)
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
        dense = _dense(features[i.name] if i.length is None else align_right(features[i.name], i.length))
        tensors[i.name] = dense if i.is_multivalent else _resize(dense, 1, default)[:, 0]
    for feature in spec.features:
        if isinstance(feature, MultiValuedFeature) and feature.weights:  # Rows without weights have no columns of them.
            width = tf.shape(tensors[feature.name])[1]
            tensors[feature.weights] = _resize(tensors[feature.weights], width, float("nan"))
    return tensors


def _columns(feature: MultiValuedFeature) -> list[str]:
    return [feature.name, feature.weights] if feature.weights else [feature.name]


def _require(name: str, tensor: tf.Tensor) -> tf.Tensor:
    message = f"`{name}` should have a value in every row, the spec requires it"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(present(tensor)), [message])]):
        return tf.identity(tensor)


def _require_length(feature: DenseFeature, tensor: tf.SparseTensor) -> tf.SparseTensor:
    counts = tf.math.bincount(tf.cast(tensor.indices[:, 0], tf.int32), minlength=1)
    message = f"`{feature.name}` should have {feature.length} values in every row, or none"
    is_valid = tf.reduce_all(tf.equal(counts, 0) | tf.equal(counts, feature.length))
    with tf.control_dependencies([tf.debugging.Assert(is_valid, [message])]):
        return tf.SparseTensor(tensor.indices, tf.identity(tensor.values), tensor.dense_shape)


def _scalars(columns: Mapping[str, tf.Tensor]) -> dict[str, tf.SparseTensor]:
    """Returns the present values of columns `(batch,)` of one type, with a number of operations for all of them."""
    if not columns:
        return {}
    matrix = tf.stack(list(columns.values()))
    mask = present(matrix)
    places = tf.where(mask)
    counts = tf.reduce_sum(tf.cast(mask, tf.int64), 1)
    values = tf.split(tf.boolean_mask(matrix, mask), counts, num=len(columns))
    indices = tf.split(places[:, 1:] * [[1, 0]], counts, num=len(columns))
    shape = tf.stack([tf.shape(matrix, tf.int64)[1], 1])
    return {
        name: tf.SparseTensor(where, what, shape) for name, where, what in zip(columns, indices, values, strict=True)
    }


def _multi_valued(feature: MultiValuedFeature, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.SparseTensor]:
    """Returns tokens, and their weights if the feature has any; a row has either no weight or one for each token."""
    tokens = tensors[feature.name]
    has_token = present(tokens)
    features = {feature.name: _sparse(tokens, has_token)}
    if feature.weights:
        weights = tensors[feature.weights]
        same_rows = tf.equal(tf.shape(weights)[0], tf.shape(tokens)[0])
        message = f"`{feature.weights}` should have as many rows as `{feature.name}`"
        with tf.control_dependencies([tf.debugging.Assert(same_rows, [message])]):
            weights = _resize(weights, tf.shape(tokens)[1], float("nan"))
        given = tf.logical_and(has_token, present(weights))
        weighted = tf.logical_and(has_token, tf.reduce_any(given, 1, keepdims=True))
        features[feature.weights] = _sparse(tf.where(given, weights, tf.zeros_like(weights)), weighted)
    return features


def _dense(tensor: tf.SparseTensor) -> tf.Tensor:
    return tf.sparse.to_dense(tensor, default_value="" if tensor.dtype == tf.string else float("nan"))


def _resize(matrix: tf.Tensor, width: Any, padding: Any) -> tf.Tensor:
    """Returns a matrix with the given number of columns, padded or truncated on the right."""
    return tf.concat([matrix, tf.fill([tf.shape(matrix)[0], width], padding)], 1)[:, :width]


def present(tensor: tf.Tensor) -> tf.Tensor:
    """Returns which values are not missing: neither "" nor NaN."""
    return tf.not_equal(tensor, "") if tensor.dtype == tf.string else tf.logical_not(tf.math.is_nan(tensor))


def _sparse(tensor: tf.Tensor, mask: Any = None) -> tf.SparseTensor:
    """Returns the values of a matrix that are in the mask, moved to the left of their row."""
    mask = tf.ones_like(tensor, tf.bool) if mask is None else mask
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(tensor, mask), tf.reduce_sum(tf.cast(mask, tf.int64), 1)
    ).to_sparse()
