"""Which rows train, evaluate and test: by a hash of their key, or by time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.spec import GivenSplit, RandomSplit, TimeSplit
from transforms.batch import SPLITS, RawBatch
from transforms.typed import parse_numbers

BUCKETS = 1_000_000
_TRAIN, _EVAL, _TEST = range(len(SPLITS))


def assign(split: RandomSplit | TimeSplit | GivenSplit, batch: RawBatch) -> np.ndarray:
    """The split of each row, as its index in `SPLITS`; int8, shape `(rows,)`.

    Random: the row's key, `farmhash.Fingerprint64` of `split_key`, modulo `BUCKETS`, in shares of the range: first
    `eval`, then `test`, then `train`. The hash is part of TensorFlow's contract (`tf.strings.to_hash_bucket_fast`), so
    that a row falls to the same split on every machine and in every version.

    Time: `train` before `eval_from`, `eval` before `test_from`, then `test`; compared as numbers if the bounds are.

    Args:
        split: of the data set's spec.
        batch: rows that passed `check`, with the columns that the split looks at.

    Raises:
        ValueError: if the split is given with the log: the rows of a batch do not say which one they are in.
    """
    if isinstance(split, GivenSplit):
        raise ValueError("split should be random or time where rows are read one by one. Received: given")
    if isinstance(split, TimeSplit):
        return _by_time(split, batch.column(split.column))
    import tensorflow as tf

    keys = split_key(split, batch).to_numpy(zero_copy_only=False)
    bucket = tf.strings.to_hash_bucket_fast(tf.constant(keys, tf.string), BUCKETS).numpy()
    bounds = np.round(np.cumsum([split.eval, split.test]) * BUCKETS)
    return np.array([_EVAL, _TEST, _TRAIN], np.int8)[np.searchsorted(bounds, bucket, side="right")]


def split_key(split: RandomSplit, batch: RawBatch) -> pa.Array:
    """The text that is hashed for each row: `salt`, then `length:cell` of each key column, `-` for a missing cell.

    The lengths, in bytes, keep apart rows whose cells would otherwise read alike when joined. With no key in the split,
    the key is all columns of the batch, in the order of their names.
    """
    names = split.key or tuple(sorted(batch.columns.column_names))
    parts = [_part(batch.column(name)) for name in names]
    salt = pa.array([split.salt] * len(batch.lines), pa.string())
    return pc.binary_join_element_wise(salt, *parts, "")


def _part(cells: pa.Array) -> pa.Array:
    length = pc.binary_length(cells).cast(pa.string())
    return pc.fill_null(pc.binary_join_element_wise(length, cells, ":"), "-")


def _by_time(split: TimeSplit, cells: pa.Array) -> np.ndarray:
    if isinstance(split.eval_from, str):
        times: pa.Array = cells
    else:
        times = pa.array(parse_numbers(cells)[0])
    late = pc.greater_equal(times, pa.scalar(split.eval_from, times.type)).to_numpy(zero_copy_only=False)
    last = pc.greater_equal(times, pa.scalar(split.test_from, times.type)).to_numpy(zero_copy_only=False)
    return np.where(last, _TEST, np.where(late, _EVAL, _TRAIN)).astype(np.int8)
