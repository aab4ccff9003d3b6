"""The log for TensorBoard is written without the package TensorBoard, and holds what that package would write."""

import sys

import pytest
import tensorflow as tf

from tfmtl.training.tensorboard import TensorBoardLog


def scalars(folder):
    (path,) = folder.iterdir()
    return [value for event in tf.compat.v1.train.summary_iterator(str(path)) for value in event.summary.value]


def test_the_package_tensorboard_is_not_needed(tmp_path, monkeypatch):
    for module in ("tensorboard", "tensorboard.summary", "tensorboard.summary.v2"):
        monkeypatch.setitem(sys.modules, module, None)
    TensorBoardLog(str(tmp_path)).on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
    for run, expected in {"train": 0.5, "validation": 0.25}.items():
        assert [float(tf.make_ndarray(value.tensor)) for value in scalars(tmp_path / run)] == [expected]


def test_a_metric_is_written_as_by_the_package_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    TensorBoardLog(str(tmp_path)).on_epoch_end(0, {"loss": 0.1})
    writer = tf.summary.create_file_writer(str(tmp_path / "expected"))
    with writer.as_default():
        tf.summary.scalar("epoch_loss", 0.1, step=0)
    writer.flush()
    assert scalars(tmp_path / "train") == scalars(tmp_path / "expected") != []
