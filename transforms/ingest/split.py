"""Assignment of rows to the splits train, eval and test, by a hash of a key or by time."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.features import LISTS, MultiValuedFeature
from tfmtl.spec import DatasetSpec, GivenSplit, TimeSplit
from transforms.batches.column_types import format_values
from transforms.batches.raw_batch import SPLITS
from transforms.validation.split_times import comparable_times
from transforms.validation.validate import ValidatedBatch

BUCKETS = 1_000_000
"""Number of hash buckets that a random split divides among the splits."""
_TRAIN, _EVAL, _TEST = range(len(SPLITS))


def assign(spec: DatasetSpec, validated: ValidatedBatch) -> np.ndarray:
    """Assigns each row to a split.

    A random split computes `farmhash.Fingerprint64(split_key) % BUCKETS` for each row. The first share of the buckets
    is `eval`, the next `test`, the rest `train`. The hash is part of TensorFlow's contract
    (`tf.strings.to_hash_bucket_fast`), so that a row belongs to the same split on every machine and in every version.

    A split by time assigns `train` before `eval_from`, `eval` from then on and before `test_from`, and `test` from then
    on. `transforms.validation.split_times` says how times and bounds are compared.

    Args:
        spec: Spec of the dataset.
        validated: Accepted rows.

    Returns:
        Index of each row's split in `SPLITS`, int8 `(rows,)`.

    Raises:
        ValueError: If the split of the spec is `given`.
        ColumnTypeError: If the column holds dates or timestamps, but the bounds are no times.
    """
    split = spec.split
    if isinstance(split, GivenSplit):
        raise ValueError("split.kind should be random or time for a log that is not yet split. Received: 'given'")
    if isinstance(split, TimeSplit):
        return _by_time(split, validated.raw.column(split.column))
    bucket = hash_buckets(split_key(spec, validated, split.key, split.salt))
    bounds = np.round(np.cumsum([split.eval, split.test]) * BUCKETS)
    splits: np.ndarray = np.array([_EVAL, _TEST, _TRAIN], np.int8)[np.searchsorted(bounds, bucket, side="right")]
    return splits


def keep_negatives(spec: DatasetSpec, validated: ValidatedBatch, split: np.ndarray) -> np.ndarray:
    """Returns which rows remain after the sampling of negatives (`tfmtl.sampling.NegativeSampling`).

    A negative row of the training split remains if the hash of its key, salted with the seed, is below the share.

    Args:
        spec: Spec of the dataset.
        validated: Accepted rows.
        split: Index of each row's split in `SPLITS`, `(rows,)`.

    Returns:
        Mask of the rows, bool `(rows,)`.
    """
    kept = np.ones(len(split), bool)
    if spec.sampling is None:
        return kept
    labels = validated.typed.column(spec.task(spec.sampling.task).label)
    negative = (labels.flatten().to_numpy() == 0) & (split == _TRAIN)
    key = split_key(spec, validated, spec.sampling.key, f"sampling {spec.sampling.seed} ")
    kept[negative] = hash_buckets(key.filter(pa.array(negative))) < round(spec.sampling.negatives * BUCKETS)
    return kept


def hash_buckets(keys: pa.Array) -> np.ndarray:
    """Returns `farmhash.Fingerprint64(key) % BUCKETS` of each key, int64 `(rows,)`.

    Args:
        keys: Keys, binary `(rows,)`.
    """
    import tensorflow as tf

    texts = keys.to_numpy(zero_copy_only=False)
    buckets: np.ndarray = tf.strings.to_hash_bucket_fast(tf.constant(texts, tf.string), BUCKETS).numpy()
    return buckets


def split_key(spec: DatasetSpec, validated: ValidatedBatch, key: Sequence[str], salt: str) -> pa.Array:
    """Returns the key of each row that is hashed.

    The key is the `salt`, followed for each key column by its value as `length:text`, or by `-` if it is missing. The
    lengths, in bytes, distinguish rows whose joined values would otherwise be equal. Without columns, all columns that
    are written are the key, ordered by name.

    Columns that are written contribute their typed values, so that the key of a row does not depend on the format from
    which it was read: the values of a list are joined by the feature's separator, and a number is the shortest decimal
    that converts back to the same float32.

    Args:
        spec: Spec of the dataset.
        validated: Accepted rows.
        key: Names of the columns.
        salt: Beginning of each key.

    Returns:
        Keys, binary `(rows,)`.
    """
    separators = _separators(spec)
    names = key or sorted(validated.typed.schema.names)
    parts = []
    for name in names:
        if name in validated.typed.schema.names:
            parts.append(_list_parts(validated.typed.column(name), separators.get(name, "")))
        else:
            parts.append(_value_parts(format_values(validated.raw.column(name)).cast(pa.binary())))
    return pc.binary_join_element_wise(pa.scalar(salt.encode(), pa.binary()), *parts, pa.scalar(b"", pa.binary()))


def _separators(spec: DatasetSpec) -> dict[str, str]:
    separators: dict[str, str] = {}
    for feature in spec.features:
        if isinstance(feature, LISTS):
            separators[feature.name] = feature.separator
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            separators[feature.weights] = feature.separator
    return separators


def _list_parts(lists: pa.ListArray, separator: str) -> pa.Array:
    """Returns the part of each row's key that is its list: `length:text`, or `-` for an empty or missing list."""
    values = _positive_zero(pc.list_flatten(lists))
    count = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    if (count <= 1).all():
        return _value_parts(values, count == 1)
    encoded = values.dictionary_encode()
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    offsets = pa.array(offsets, mask=np.append(count == 0, False))
    parts = pa.ListArray.from_arrays(offsets, _texts(encoded.dictionary).take(encoded.indices))
    return _value_parts(pc.binary_join(parts, separator.encode()))


def _value_parts(values: pa.Array, is_given: np.ndarray | None = None) -> pa.Array:
    """Returns the part of each row's key that is its value: `length:text`, or `-` for null.

    Values that repeat are formatted once.

    Args:
        values: Texts or numbers.
        is_given: Mask of the rows that have a value, bool `(rows,)`; None if all have one or null.
    """
    encoded = values.dictionary_encode()
    different = _texts(encoded.dictionary)
    length = pc.binary_length(different).cast(pa.string()).cast(pa.binary())
    formatted = pc.binary_join_element_wise(length, different, pa.scalar(b":", pa.binary()))
    formatted = pa.concat_arrays([formatted, pa.array([b"-"], pa.binary())])
    rows = pc.fill_null(encoded.indices, len(different))
    if is_given is not None and not is_given.all():
        codes = np.full(len(is_given), len(different), np.int32)
        codes[is_given] = rows.to_numpy(zero_copy_only=False)
        rows = pa.array(codes)
    return formatted.take(rows)


def _positive_zero(values: pa.Array) -> pa.Array:
    """Replaces -0 by 0, which is the same number with another text."""
    if not pa.types.is_float32(values.type):
        return values
    return pa.array(values.to_numpy(zero_copy_only=False) + np.float32(0))


def _texts(values: pa.Array) -> pa.Array:
    """Formats values as texts, of the type binary; NaN, an absent position of a sequence, is the empty text."""
    if pa.types.is_float32(values.type):
        values = pc.if_else(pc.is_nan(values), "", values.cast(pa.string()))
    return values if pa.types.is_binary(values.type) else values.cast(pa.string()).cast(pa.binary())


def _by_time(split: TimeSplit, column: pa.Array) -> np.ndarray:
    times = comparable_times(column, split)
    is_eval, is_test = times.from_eval, times.from_test
    return np.where(is_test, _TEST, np.where(is_eval, _EVAL, _TRAIN)).astype(np.int8)
