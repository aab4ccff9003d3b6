"""The `preprocessing_fn` of a spec, which maps raw features to ids, weights and labels."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfmtl.alignment import align_right, mean_of_last
from tfmtl.features import (
    MULTIVALENT,
    TOKENS,
    WEIGHTS_SUFFIX,
    CategoricalFeature,
    DenseFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.model_inputs import offsets, transformed_inputs
from tfmtl.offsets import EXPOSURE_SUFFIX, Offset
from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor
from transforms.graph.crosses import categorical_tokens, cross_ids
from transforms.graph.dense_vectors import Moments, analyzed_moments, counted_moments, dense_vector
from transforms.graph.hashed_ids import hashed_ids
from transforms.graph.number_ids import numerical_ids, sequence_ids
from transforms.graph.quantile_buckets import Bounds, analyzed_bounds, counted_bounds
from transforms.graph.scalar_columns import by_name
from transforms.graph.vocabulary_lookup import AnalyzedVocabularies, CountedVocabularies, Lookup

Tensors = dict[str, Tensor]
"""Tensors by name."""


def make_preprocessing_fn(
    spec: DatasetSpec, vocabularies: str | None = None
) -> Callable[[Mapping[str, Tensor]], Tensors]:
    """Creates the function that Transform analyzes and that training and serving apply.

    The inputs of the function are `tf.SparseTensor`s, or dense tensors, by raw feature name. A feature that is not
    among the inputs, because no row of the log has it, counts as missing in every row.

    Args:
        spec: Spec of the dataset.
        vocabularies: Folder that `transforms.ingest.beam_vocabularies.WriteVocabularies` wrote. Transform then does not
            analyze the rows. By default, Transform computes the vocabularies from the rows (`tft.vocabulary`). In both
            cases the vocabulary file of a feature has the feature's name.

    Returns:
        A function whose outputs are those of `tfmtl.model_inputs.transformed_inputs(spec)` and the labels that are
        among its inputs, float32 `(batch,)` by label column.

    Example:
        >>> from tfmtl.spec import Task
        >>> spec = DatasetSpec("log", (NumericalFeature("price", scale=1.0, max_bucket=9),), (Task("click", "click"),))
        >>> preprocessing_fn = make_preprocessing_fn(spec)
        >>> inputs = {"price": tf.constant([0.0, 19.0, float("nan")]), "click": tf.constant([1.0, 0.0, 0.0])}
        >>> outputs = preprocessing_fn(inputs)
        >>> outputs["price"].numpy().tolist(), outputs["click"].numpy().tolist()
        ([1, 4, 0], [1.0, 0.0, 0.0])
    """
    lookup: Lookup = AnalyzedVocabularies() if vocabularies is None else CountedVocabularies(vocabularies)
    bounds: Bounds = analyzed_bounds if vocabularies is None else counted_bounds(vocabularies)
    moments: Moments = analyzed_moments if vocabularies is None else counted_moments(vocabularies)

    def preprocessing_fn(inputs: Mapping[str, Tensor]) -> Tensors:
        # Labels are absent where a model is served: the ids must not depend on one.
        features = [inputs[feature.name] for feature in spec.features if feature.name in inputs]
        batch_size = _batch_size(next(iter(features or inputs.values())))
        lists = [feature for feature in spec.features if isinstance(feature, MULTIVALENT)]
        computed = numerical_ids(spec, inputs, batch_size, bounds) | _tokens(spec, inputs, batch_size, lookup)
        computed |= cross_ids(spec, inputs, computed, batch_size)
        for feature in lists:
            if isinstance(feature, NumberSequenceFeature):
                computed[feature.name] = sequence_ids(inputs.get(feature.name), feature, bounds)
            arrange: Any = _multi_valued if isinstance(feature, MultiValuedFeature) else _sequence
            ids, weights = arrange(inputs, feature, batch_size, computed.get(feature.name))
            computed |= {feature.name: ids, feature.name + WEIGHTS_SUFFIX: weights}
        for dense in spec.features:
            if isinstance(dense, DenseFeature):
                computed[dense.name] = dense_vector(inputs.get(dense.name), dense, batch_size, moments)
        for task, offset in offsets(spec).items():
            computed[task + EXPOSURE_SUFFIX] = _exposure(inputs, spec.feature(offset.feature), offset, batch_size)
        outputs = {i.name: computed[i.name] for i in transformed_inputs(spec)}
        for label in spec.labels:
            if label in inputs:
                outputs[label] = _dense(inputs[label], batch_size, 0.0, tf.float32)
        return outputs

    return preprocessing_fn


def _tokens(spec: DatasetSpec, inputs: Mapping[str, Tensor], batch_size: Tensor, lookup: Lookup) -> Tensors:
    """Returns the ids of tokens by feature: `(batch,)` of a categorical one, and those of all tokens of a list."""
    features = [feature for feature in spec.features if isinstance(feature, TOKENS)]
    is_hashed = {feature.name: spec.vocabulary_of(feature).hashed is not None for feature in features}
    computed: Tensors = {}
    for to_ids, hashed in ((lookup, False), (hashed_ids, True)):
        chosen = [feature for feature in features if is_hashed[feature.name] == hashed]
        scalars = [feature for feature in chosen if isinstance(feature, CategoricalFeature)]
        lists = [one for one in chosen if not isinstance(one, CategoricalFeature) and one.name in inputs]
        values = [inputs[feature.name].values for feature in lists]
        sizes = tf.shape_n(values, tf.int64) if values else []
        if scalars:
            values = [tf.reshape(categorical_tokens(scalars, inputs, batch_size), [-1]), *values]
            sizes = [tf.fill([len(scalars)], batch_size), *sizes]
        if not values:
            continue
        owners = [spec.vocabulary_of(feature) for feature in (*scalars, *lists)]
        ids = to_ids(owners, tf.concat(values, 0), tf.concat(sizes, 0))
        parts = tf.split(ids, tf.stack([tf.reduce_sum(size) for size in sizes]), num=len(sizes))
        if scalars:
            computed |= by_name(scalars, tf.reshape(parts.pop(0), [len(scalars), -1]))
        computed |= {feature.name: part for feature, part in zip(lists, parts, strict=True)}
    return computed


def _multi_valued(
    inputs: Mapping[str, Tensor], feature: MultiValuedFeature, batch_size: Tensor, token_ids: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns ids and weights `(batch, max_length)` of the first tokens; padding has id 0 and weight 0.

    All tokens of a row without weights have weight 1.
    """
    tokens = inputs.get(feature.name)
    if tokens is None or token_ids is None:
        tokens, token_ids = _empty(batch_size, tf.string), tf.constant([], tf.int64)
    sparse_ids = tf.SparseTensor(tokens.indices, token_ids, tokens.dense_shape)
    ids = tf.RaggedTensor.from_sparse(sparse_ids)[:, : feature.max_length]
    shape = (None, feature.max_length)
    ones = ids.with_values(tf.ones_like(ids.values, tf.float32)).to_tensor(0.0, shape=shape)
    given_weights = inputs.get(feature.weights) if feature.weights else None
    if given_weights is None:
        return ids.to_tensor(0, shape=shape), ones
    weights = tf.RaggedTensor.from_sparse(given_weights)[:, : feature.max_length]
    unweighted = tf.equal(weights.row_lengths(), 0)[:, None]
    return ids.to_tensor(0, shape=shape), tf.where(unweighted, ones, ones * weights.to_tensor(0.0, shape=shape))


def _sequence(
    inputs: Mapping[str, Tensor],
    feature: SequenceFeature | NumberSequenceFeature,
    batch_size: Tensor,
    value_ids: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Returns ids and weights `(batch, max_length)` of the last positions, the most recent one in the last column.

    Absent positions ("" or NaN) and padding have id 0 and weight 0; all other positions have weight 1.
    """
    sequence = inputs.get(feature.name)
    if sequence is None:
        sequence = _empty(batch_size, tf.float32 if isinstance(feature, NumberSequenceFeature) else tf.string)
    if isinstance(feature, NumberSequenceFeature):
        present = tf.logical_not(tf.math.is_nan(sequence.values))
    else:
        present = tf.not_equal(sequence.values, "")
    zeros = tf.zeros(tf.shape(sequence.values), tf.int64)
    ids = zeros if value_ids is None else tf.where(present, value_ids, zeros)

    def to_dense(values: Tensor) -> Tensor:
        sparse = tf.SparseTensor(sequence.indices, values, sequence.dense_shape)
        return tf.sparse.to_dense(align_right(sparse, feature.max_length))

    return to_dense(ids), to_dense(tf.cast(present, tf.float32))


def _exposure(inputs: Mapping[str, Tensor], feature: Any, offset: Offset, batch_size: Tensor) -> Tensor:
    """Returns the exposure of each row, `(batch,)` float32; 0 where it is missing."""
    values = inputs.get(feature.name)
    if isinstance(feature, NumericalFeature):
        exposure = _dense(values, batch_size, float("nan"), tf.float32)
        default = feature.default or 0.0
    else:
        exposure = mean_of_last(_empty(batch_size, tf.float32) if values is None else values, offset.mean_of_last or 1)
        default = 0.0
    return tf.where(tf.math.is_nan(exposure), default, exposure)


def _empty(batch_size: Tensor, dtype: tf.DType) -> tf.SparseTensor:
    """Returns rows without values."""
    return tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], dtype), tf.stack([batch_size, 0]))


def _batch_size(tensor: Tensor) -> Tensor:
    return tensor.dense_shape[0] if isinstance(tensor, tf.SparseTensor) else tf.shape(tensor, out_type=tf.int64)[0]


def _dense(tensor: Tensor | None, batch_size: Tensor, default: Any, dtype: tf.DType) -> Tensor:
    """Returns the single value of each row, `(batch,)`, as `dtype`, or `default` if the row has none."""
    if tensor is None:
        return tf.fill(tf.reshape(batch_size, [1]), tf.constant(default, dtype))
    if isinstance(tensor, tf.SparseTensor):
        # The slice has width 1 even if no row of the batch has a value.
        shape = tf.stack([tensor.dense_shape[0], tf.constant(1, tf.int64)])
        first = tf.sparse.slice(tensor, [0, 0], shape)
        values = first.values if first.dtype == dtype else tf.cast(first.values, dtype)
        tensor = tf.sparse.to_dense(tf.SparseTensor(first.indices, values, shape), tf.constant(default, dtype))
    return tf.reshape(tensor, [-1])
