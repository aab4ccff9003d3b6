"""Model, training and thresholds by the size of the log.

On logs of 20,000 to 290,000 rows, a large learning rate with an Adam epsilon of 1e-3, small batches, dropout, and a
linear term beside a small network reach the AUC of one-hot logistic regression on every output. Larger networks, and
Adam's usual epsilon of 1e-7, overfit rare ids within the first epochs.
"""

from collections.abc import Sequence
from typing import Any

from pipelines.init.task_arguments import LabelledTask

_BATCH_SIZES = ((100_000, 256), (2_000_000, 512), (20_000_000, 1024), (float("inf"), 4096))
"""Upper bound of the rows of a log, and the batch size below it."""
_LARGE_ROWS = 2_000_000
_TEST_SHARE = 0.1
_MIN_TEST_POSITIVES = 30


def min_frequency(rows: int) -> int:
    """Returns the minimum frequency of a token in a vocabulary.

    Args:
        rows: Number of rows of the log.
    """
    return 1 if rows < 1_000_000 else 2 if rows < 20_000_000 else 5


def model_defaults(rows: int) -> dict[str, Any]:
    """Returns the model and its options.

    Args:
        rows: Number of rows of the log.
    """
    units = [64] if rows < _LARGE_ROWS else [128, 64]
    options = {"wide": True, "num_experts": 4, "expert_units": units, "tower_units": [32], "dropout": 0.3}
    return {"name": "mmoe", "options": options}


def training_defaults(rows: int, tasks: Sequence[LabelledTask]) -> dict[str, Any]:
    """Returns the settings of the training.

    Args:
        rows: Number of rows of the log.
        tasks: Tasks, the last one of which is monitored.
    """
    last = tasks[-1].task
    batch_size = next(size for limit, size in _BATCH_SIZES if rows < limit)
    return {
        "batch_size": batch_size,
        "learning_rate": 0.01,
        "optimizer": {"kind": "adam", "epsilon": 1e-3},
        "patience": 2,
        "monitor": f"{last.output}_auc" if last.kind == "binary" else "loss",
    }


def threshold_defaults(tasks: Sequence[LabelledTask], rows: int) -> dict[str, Any]:
    """Returns thresholds that a model with any skill passes, for outputs with enough positive test rows to judge.

    Args:
        tasks: Tasks with their labels in a sample.
        rows: Number of rows of the log.
    """
    thresholds: dict[str, Any] = {}
    for one in tasks:
        share = one.positives / max(len(one.labels), 1)
        if share * rows * _TEST_SHARE < _MIN_TEST_POSITIVES:
            continue
        bounds = {"calibration": [0.5, 2.0]}
        thresholds[one.task.output] = {"min_auc": 0.5, **bounds} if one.is_binary else bounds
    return thresholds
