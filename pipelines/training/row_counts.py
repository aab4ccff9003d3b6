"""Number of rows in TFRecord files, and what depends on it."""

from collections.abc import Sequence

import tensorflow as tf

from pipelines.training_settings import TrainingSettings
from tfmtl.training import default_batch_size

_BLOCK_ROWS = 65536


def count_rows(files: Sequence[str]) -> int:
    """Returns the number of rows.

    Args:
        files: TFRecord files, compressed with GZIP.
    """
    blocks = tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(_BLOCK_ROWS)
    return int(blocks.reduce(tf.constant(0, tf.int64), lambda count, block: count + tf.size(block, tf.int64)))


def estimate_rows(files: Sequence[str]) -> int:
    """Returns the number of rows of the first file times the ratio of the sizes of all files and the first one.

    Args:
        files: TFRecord files, compressed with GZIP.
    """
    sizes = [tf.io.gfile.stat(name).length for name in files]
    return round(count_rows(files[:1]) * sum(sizes) / sizes[0]) if files else 0


def batch_size(training: TrainingSettings, files: Sequence[str]) -> int:
    """Returns the batch size of the settings, or the one for the number of training rows.

    Args:
        training: Training settings.
        files: TFRecord files of the training split, compressed with GZIP.
    """
    return training.batch_size or default_batch_size(estimate_rows(sorted(files)))
