"""Which rows train, evaluate and test: by a hash of their key, or by time."""

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.features import BAGS, MultiValuedFeature
from tfmtl.spec import DatasetSpec, GivenSplit, RandomSplit, TimeSplit
from transforms.batches.column_types import ColumnTypeError, format_values
from transforms.batches.parsing import boolean_mask, parse_numbers
from transforms.batches.raw_batch import SPLITS
from transforms.validation.validate import ValidatedBatch

BUCKETS = 1_000_000
_TRAIN, _EVAL, _TEST = range(len(SPLITS))


def assign(spec: DatasetSpec, checked: ValidatedBatch) -> np.ndarray:
    """The split of each row, as its index in `SPLITS`; int8, shape `(rows,)`.

    Random: the row's key, `farmhash.Fingerprint64` of `split_key`, modulo `BUCKETS`, in shares of the range: first
    `eval`, then `test`, then `train`. The hash is part of TensorFlow's contract (`tf.strings.to_hash_bucket_fast`), so
    that a row falls to the same split on every machine and in every version.

    Time: `train` before `eval_from`, `eval` before `test_from`, then `test`; compared as numbers if the bounds are, as
    moments if the column holds dates or timestamps, else as text.

    Args:
        spec: of the data set.
        checked: rows that passed the check.

    Raises:
        ValueError: if the split is given with the log: the rows of a batch do not say which one they are in.
        ColumnTypeError: if the column holds dates or timestamps, and the bounds are texts that are none.
    """
    split = spec.split
    if isinstance(split, GivenSplit):
        raise ValueError("split should be random or time where rows are read one by one. Received: given")
    if isinstance(split, TimeSplit):
        return _by_time(split, checked.raw.column(split.column))
    import tensorflow as tf

    keys = split_key(spec, checked).to_numpy(zero_copy_only=False)
    bucket = tf.strings.to_hash_bucket_fast(tf.constant(keys, tf.string), BUCKETS).numpy()
    bounds = np.round(np.cumsum([split.eval, split.test]) * BUCKETS)
    return np.array([_EVAL, _TEST, _TRAIN], np.int8)[np.searchsorted(bounds, bucket, side="right")]


def split_key(spec: DatasetSpec, checked: ValidatedBatch) -> pa.Array:
    """What is hashed for each row: `salt`, then `length:text` of each key column, `-` for a missing value; binary.

    The lengths, in bytes, keep apart rows whose columns would otherwise read alike when joined. With no key in the
    split, the key is all columns that are written, in the order of their names.

    A column that is written is taken as it is typed, so that a row has one key in whatever format it was read: a list's
    values are joined by the feature's separator, and a number is the shortest decimal that is read back as its float32.
    """
    split = spec.split
    assert isinstance(split, RandomSplit)
    separators = _separators(spec)
    names = split.key or tuple(sorted(checked.typed.schema.names))
    parts = []
    for name in names:
        if name in checked.typed.schema.names:
            parts.append(_part(_joined(checked.typed.column(name), separators.get(name, ""))))
        else:
            parts.append(_part(format_values(checked.raw.column(name)).cast(pa.binary())))
    salt = pa.array([split.salt.encode()] * len(checked.raw.lines), pa.binary())
    return pc.binary_join_element_wise(salt, *parts, b"")


def _separators(spec: DatasetSpec) -> dict[str, str]:
    separators: dict[str, str] = {}
    for feature in spec.features:
        if isinstance(feature, BAGS):
            separators[feature.name] = feature.separator
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            separators[feature.weights] = feature.separator
    return separators


def _joined(lists: pa.ListArray, separator: str) -> pa.Array:
    """Each list's values as one binary text, null for a null."""
    values = pc.list_flatten(lists)
    if pa.types.is_float32(values.type):
        values = _decimal(values)
    if not pa.types.is_binary(values.type):
        values = values.cast(pa.string()).cast(pa.binary())
    count = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    if (count <= 1).all():
        place = np.cumsum(count) - 1
        return values.take(pa.array(place, mask=count == 0))
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    offsets = pa.array(offsets, mask=np.append(count == 0, False))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, values), separator.encode())


def _decimal(numbers: pa.Array) -> pa.Array:
    """Float32 numbers in decimal; an absent place of a sequence, NaN, is empty."""
    values = numbers.to_numpy(zero_copy_only=False) + np.float32(0)  # -0 becomes 0.
    texts = pa.array(values).cast(pa.string())
    absent = np.isnan(values)
    return pc.if_else(pa.array(absent), "", texts) if absent.any() else texts


def _part(texts: pa.Array) -> pa.Array:
    length = pc.binary_length(texts).cast(pa.string()).cast(pa.binary())
    return pc.fill_null(pc.binary_join_element_wise(length, texts, b":"), b"-")


def _by_time(split: TimeSplit, cells: pa.Array) -> np.ndarray:
    bounds: list[Any] = [split.eval_from, split.test_from]
    if not isinstance(split.eval_from, str):
        times = pa.array(parse_numbers(cells)[0])
    elif pa.types.is_date(cells.type) or pa.types.is_timestamp(cells.type):
        times = cells.cast(pa.timestamp("us"))
        bounds = [_moment(bound, split.column) for bound in bounds]
    else:
        times = format_values(cells)
    late, last = (boolean_mask(pc.greater_equal(times, pa.scalar(bound, times.type))) for bound in bounds)
    return np.where(last, _TEST, np.where(late, _EVAL, _TRAIN)).astype(np.int8)


def _moment(bound: str, column: str) -> datetime.datetime:
    """A bound as a time of UTC, whether it is written with a space or a T."""
    try:
        moment = datetime.datetime.fromisoformat(bound)
    except ValueError as error:
        expected = f"{column} holds dates or times, so the bounds of the split should be such"
        raise ColumnTypeError(f"{expected} (2026-11-18 12:00). Received: {bound!r}") from error
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
