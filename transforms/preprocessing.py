"""The `preprocessing_fn` of a spec: raw features in; ids, weights and labels out."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from tfmtl.alignment import align_right
from tfmtl.features import (
    WEIGHTS_SUFFIX,
    CategoricalFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec

Tensors = dict[str, Any]


def make_preprocessing_fn(spec: DatasetSpec, vocabularies: str | None = None) -> Callable[[Mapping[str, Any]], Tensors]:
    """The function that Transform analyses and that training and serving apply.

    Its inputs are `tf.SparseTensor`s (or dense ones) by raw feature name; its outputs are those of
    `tfmtl.model_inputs.transformed_inputs(spec)`, and the labels that are among the inputs, float32 `(batch,)` by label
    column. A feature that is not among the inputs, because no row of the log has it, is missing in every row.

    Args:
        spec: of the data set.
        vocabularies: the folder of `transforms.ingest.beam_vocabularies.WriteVocabularies`; Transform then need not
            look at any row. Without it Transform makes them, of the rows that it analyses (`tft.vocabulary`). In both
            cases the file of a feature's vocabulary has the feature's name.
    """
    lookups = _Lookups(vocabularies)

    def preprocessing_fn(inputs: Mapping[str, Any]) -> Tensors:
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
                outputs[feature.name], outputs[feature.name + WEIGHTS_SUFFIX] = _bag(
                    inputs, feature, batch_size, lookups
                )
            else:
                outputs[feature.name], outputs[feature.name + WEIGHTS_SUFFIX] = _sequence(
                    inputs, feature, batch_size, lookups
                )
        for label in spec.labels:
            if label in inputs:
                outputs[label] = _dense(inputs[label], batch_size, 0.0, tf.float32)
        return outputs

    return preprocessing_fn


def log_round(values: tf.Tensor, feature: NumericalFeature | NumberSequenceFeature) -> tf.Tensor:
    """`clip(sign(x) * round(log1p(|x|) * scale), min_bucket, max_bucket) - min_bucket + 1`; 0 where x is missing.

    Halves round to the even number, as everywhere in TensorFlow and NumPy; infinities fall in the outer buckets.

    Args:
        values: float32 of any shape, NaN where missing.
        feature: gives scale, bounds and default.

    Returns:
        int64 of that shape, in `[0, max_bucket - min_bucket + 1]`.

    References:
        - APEM, section 4.1: numerical features are discretized by a log-round operation
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
    """Ids of tokens, dense or sparse: `0 .. num_oov - 1` for unseen ones, line in the vocabulary + num_oov else."""

    vocabularies: str | None

    def __call__(self, tokens: Any, feature: Any) -> Any:
        if isinstance(tokens, tf.SparseTensor):
            return tf.SparseTensor(tokens.indices, self(tokens.values, feature), tokens.dense_shape)
        if self.vocabularies is None:
            return self._analyzed(tokens, feature)
        path = os.path.join(self.vocabularies, feature.name)
        table = tft.make_and_track_object(lambda: _table(path), name=f"{feature.name}_vocabulary")
        return _ids(table, tokens, feature)

    @staticmethod
    def _analyzed(tokens: tf.Tensor, feature: Any) -> tf.Tensor:
        vocabulary = tft.vocabulary(
            tokens,
            top_k=feature.max_tokens,
            frequency_threshold=feature.min_frequency if feature.min_frequency > 1 else None,
            vocab_filename=feature.name,
            name=f"{feature.name}_vocabulary",
        )

        def lookup(keys: Any, filename: Any) -> tuple[Any, Any]:
            table = _table(filename)
            return _ids(table, keys, feature), table.size()

        return tft.apply_vocabulary(tokens, vocabulary, lookup_fn=lookup)


def _table(filename: Any) -> Any:
    """From a token to its line, from 0."""
    initializer = tf.lookup.TextFileInitializer(
        filename,
        key_dtype=tf.string,
        key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


def _ids(table: Any, tokens: tf.Tensor, feature: Any) -> tf.Tensor:
    lines = table.lookup(tokens)
    unseen = tf.strings.to_hash_bucket_fast(tokens, feature.num_oov)
    return tf.where(lines < 0, unseen, lines + feature.num_oov)


def _bag(inputs: Mapping[str, Any], feature: MultiValuedFeature, batch_size: Any, lookups: _Lookups) -> tuple[Any, Any]:
    """Ids and weights `(batch, max_length)` of the first tokens; a padded place has id 0 and weight 0.

    The tokens of a row without weights weigh 1.
    """
    tokens = inputs.get(feature.name)
    tokens = _empty(batch_size, tf.string) if tokens is None else tokens
    ids = tf.RaggedTensor.from_sparse(lookups(tokens, feature))[:, : feature.max_length]
    shape = (None, feature.max_length)
    ones = ids.with_values(tf.ones_like(ids.values, tf.float32)).to_tensor(0.0, shape=shape)
    weights_of = inputs.get(feature.weights) if feature.weights else None
    if weights_of is None:
        return ids.to_tensor(0, shape=shape), ones
    weights = tf.RaggedTensor.from_sparse(weights_of)[:, : feature.max_length]
    unweighted = tf.equal(weights.row_lengths(), 0)[:, None]
    return ids.to_tensor(0, shape=shape), tf.where(unweighted, ones, ones * weights.to_tensor(0.0, shape=shape))


def _sequence(
    inputs: Mapping[str, Any], feature: SequenceFeature | NumberSequenceFeature, batch_size: Any, lookups: _Lookups
) -> tuple[Any, Any]:
    """Ids and weights `(batch, max_length)` of the last places, the most recent one in the last column.

    An absent place ("" or NaN) and a padded one have id 0 and weight 0, all others weight 1.
    """
    places = inputs.get(feature.name)
    if places is None:
        places = _empty(batch_size, tf.float32 if isinstance(feature, NumberSequenceFeature) else tf.string)
    if isinstance(feature, NumberSequenceFeature):
        present = tf.logical_not(tf.math.is_nan(places.values))
        ids = log_round(places.values, feature)
    else:
        present = tf.not_equal(places.values, "")
        ids = tf.where(present, lookups(places, feature).values, tf.constant(0, tf.int64))

    def dense(values: Any) -> Any:
        placed = tf.SparseTensor(places.indices, values, places.dense_shape)
        return tf.sparse.to_dense(align_right(placed, feature.max_length))

    return dense(ids), dense(tf.cast(present, tf.float32))


def _empty(batch_size: Any, dtype: tf.DType) -> tf.SparseTensor:
    """Rows without any value."""
    return tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], dtype), tf.stack([batch_size, 0]))


def _batch_size(tensor: Any) -> Any:
    return tensor.dense_shape[0] if isinstance(tensor, tf.SparseTensor) else tf.shape(tensor, out_type=tf.int64)[0]


def _dense(tensor: Any, batch_size: Any, default: Any, dtype: tf.DType) -> tf.Tensor:
    """The one value of each row, `(batch,)`, as `dtype`; `default` where there is none."""
    if tensor is None:
        return tf.fill(tf.reshape(batch_size, [1]), tf.constant(default, dtype))
    if isinstance(tensor, tf.SparseTensor):
        # Of width 1 also where no row of the batch has a value.
        shape = tf.stack([tensor.dense_shape[0], tf.constant(1, tf.int64)])
        first = tf.sparse.slice(tensor, [0, 0], shape)
        values = first.values if first.dtype == dtype else tf.cast(first.values, dtype)
        tensor = tf.sparse.to_dense(tf.SparseTensor(first.indices, values, shape), tf.constant(default, dtype))
    return tf.reshape(tensor, [-1])
