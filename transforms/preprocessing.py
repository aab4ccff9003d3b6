"""The `preprocessing_fn` of a spec, which maps raw features to ids, weights and labels."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from tfmtl.alignment import align_right, mean_of_last
from tfmtl.features import (
    WEIGHTS_SUFFIX,
    CategoricalFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.model_inputs import offsets
from tfmtl.offsets import EXPOSURE_SUFFIX, Offset
from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor

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
    lookups = _Lookups(vocabularies)

    def preprocessing_fn(inputs: Mapping[str, Tensor]) -> Tensors:
        batch_size = _batch_size(next(iter(inputs.values())))
        outputs: Tensors = {}
        for feature in spec.features:
            if isinstance(feature, CategoricalFeature):
                tokens = _dense(inputs.get(feature.name), batch_size, feature.default or "", tf.string)
                if feature.default is not None:
                    tokens = tf.where(tf.equal(tokens, ""), feature.default, tokens)
                outputs[feature.name] = lookups(tokens, feature)
            elif isinstance(feature, NumericalFeature):
                values = _dense(inputs.get(feature.name), batch_size, float("nan"), tf.float32)
                outputs[feature.name] = log_round(values, feature)
            elif isinstance(feature, MultiValuedFeature):
                outputs[feature.name], outputs[feature.name + WEIGHTS_SUFFIX] = _multi_valued(
                    inputs, feature, batch_size, lookups
                )
            else:
                outputs[feature.name], outputs[feature.name + WEIGHTS_SUFFIX] = _sequence(
                    inputs, feature, batch_size, lookups
                )
        for task, offset in offsets(spec).items():
            outputs[task + EXPOSURE_SUFFIX] = _exposure(inputs, spec.feature(offset.feature), offset, batch_size)
        for label in spec.labels:
            if label in inputs:
                outputs[label] = _dense(inputs[label], batch_size, 0.0, tf.float32)
        return outputs

    return preprocessing_fn


def log_round(values: Tensor, feature: NumericalFeature | NumberSequenceFeature) -> Tensor:
    """Discretizes numbers by rounding their logarithm.

    A number `x` becomes the bucket
    `clip(sign(x) * round(log1p(|x|) * scale), min_bucket, max_bucket) - min_bucket + 1`. A missing number becomes the
    bucket of the feature's default, or 0 if it has none. Halves round to the even number, as everywhere in TensorFlow
    and NumPy; infinities fall in the outermost buckets.

    Args:
        values: Numbers, float32 of any shape, NaN where missing.
        feature: Feature whose `scale`, `min_bucket`, `max_bucket` and `default` are applied.

    Returns:
        Buckets, int64 of the same shape, in `[0, max_bucket - min_bucket + 1]`.

    Example:
        >>> feature = NumericalFeature("price", scale=2.0, min_bucket=-3, max_bucket=5)
        >>> log_round(tf.constant([0.0, 1.0, -1.0, 1e9, float("nan")]), feature).numpy().tolist()
        [4, 5, 3, 9, 0]

    References:
        APEM, section 4.1: numerical features are discretized by a log-round operation.
    """
    default = feature.default if isinstance(feature, NumericalFeature) else None
    missing = tf.math.is_nan(values)
    values = tf.where(missing, 0.0 if default is None else default, values)
    rounded = tf.sign(values) * tf.round(tf.math.log1p(tf.abs(values)) * feature.scale)
    bounded = tf.clip_by_value(rounded, float(feature.min_bucket), float(feature.max_bucket))
    ids = tf.cast(bounded, tf.int64) - feature.min_bucket + 1
    return ids if default is not None else tf.where(missing, tf.zeros_like(ids), ids)


@dataclasses.dataclass(frozen=True)
class _Lookups:
    """Maps tokens, dense or sparse, to ids.

    The id of a token in the vocabulary is its line, from 0, plus `num_oov`; other tokens hash to `0 .. num_oov - 1`.

    Attributes:
        vocabularies: Folder of the vocabulary files; None if Transform computes them.
    """

    vocabularies: str | None

    def __call__(self, tokens: Tensor, feature: Any) -> Tensor:
        if isinstance(tokens, tf.SparseTensor):
            return tf.SparseTensor(tokens.indices, self(tokens.values, feature), tokens.dense_shape)
        if self.vocabularies is None:
            return self._analyzed(tokens, feature)
        path = os.path.join(self.vocabularies, feature.name)
        table = tft.make_and_track_object(lambda: _table(path), name=f"{feature.name}_vocabulary")
        return _ids(table, tokens, feature)

    @staticmethod
    def _analyzed(tokens: Tensor, feature: Any) -> Tensor:
        vocabulary = tft.vocabulary(
            tokens,
            top_k=feature.max_tokens,
            frequency_threshold=feature.min_frequency if feature.min_frequency > 1 else None,
            vocab_filename=feature.name,
            name=f"{feature.name}_vocabulary",
        )

        def lookup(keys: Tensor, filename: Tensor) -> tuple[Tensor, Tensor]:
            table = _table(filename)
            return _ids(table, keys, feature), table.size()

        return tft.apply_vocabulary(tokens, vocabulary, lookup_fn=lookup)


def _table(filename: Any) -> tf.lookup.StaticHashTable:
    """Returns a table from each token to its line in the file, from 0; -1 for other tokens."""
    initializer = tf.lookup.TextFileInitializer(
        filename,
        key_dtype=tf.string,
        key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


def _ids(table: tf.lookup.StaticHashTable, tokens: Tensor, feature: Any) -> Tensor:
    lines = table.lookup(tokens)
    unseen = tf.strings.to_hash_bucket_fast(tokens, feature.num_oov)
    return tf.where(lines < 0, unseen, lines + feature.num_oov)


def _multi_valued(
    inputs: Mapping[str, Tensor], feature: MultiValuedFeature, batch_size: Tensor, lookups: _Lookups
) -> tuple[Tensor, Tensor]:
    """Returns ids and weights `(batch, max_length)` of the first tokens; padding has id 0 and weight 0.

    All tokens of a row without weights have weight 1.
    """
    tokens = inputs.get(feature.name)
    tokens = _empty(batch_size, tf.string) if tokens is None else tokens
    ids = tf.RaggedTensor.from_sparse(lookups(tokens, feature))[:, : feature.max_length]
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
    lookups: _Lookups,
) -> tuple[Tensor, Tensor]:
    """Returns ids and weights `(batch, max_length)` of the last positions, the most recent one in the last column.

    Absent positions ("" or NaN) and padding have id 0 and weight 0; all other positions have weight 1.
    """
    sequence = inputs.get(feature.name)
    if sequence is None:
        sequence = _empty(batch_size, tf.float32 if isinstance(feature, NumberSequenceFeature) else tf.string)
    if isinstance(feature, NumberSequenceFeature):
        present = tf.logical_not(tf.math.is_nan(sequence.values))
        ids = log_round(sequence.values, feature)
    else:
        present = tf.not_equal(sequence.values, "")
        ids = tf.where(present, lookups(sequence, feature).values, tf.constant(0, tf.int64))

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
