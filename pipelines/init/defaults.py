"""Model, training and thresholds by the size of the log."""

from collections.abc import Sequence
from typing import Any

from pipelines.init.task_arguments import LabelledTask

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
    return {"name": "mmoe"}


def training_defaults(rows: int, tasks: Sequence[LabelledTask]) -> dict[str, Any]:
    """Returns the settings of the training.

    Args:
        rows: Number of rows of the log.
        tasks: Tasks, the last one of which is monitored.
    """
    last = tasks[-1].task
    return {"monitor": f"{last.output}_auc" if last.kind == "binary" else "loss"}


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
