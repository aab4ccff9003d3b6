"""Model, training and thresholds by the size of the log.

On logs of 20,000 to 290,000 rows, a large learning rate with an Adam epsilon of 1e-3, small batches, dropout, and a
linear term beside a small network reach the AUC of one-hot logistic regression on every output. Larger networks, and
Adam's usual epsilon of 1e-7, overfit rare ids within the first epochs.
"""

from collections.abc import Sequence
from typing import Any

from pipelines.init.splits import EVAL_SHARE, TEST_SHARE
from pipelines.init.task_arguments import LabelledTask
from pipelines.training_settings import TrainingSettings
from tfmtl.models import MODELS
from tfmtl.models.options.info import DEFAULT
from tfmtl.training import AdamOptions, default_batch_size

MODEL = "mmoe"
"""Model of the settings."""
_MIN_TEST_POSITIVES = 30


def min_frequency(rows: int) -> int:
    """Returns the minimum frequency of a token in a vocabulary.

    Args:
        rows: Number of rows of the log.
    """
    return 1 if rows < 1_000_000 else 2 if rows < 20_000_000 else 5


def model_defaults(tasks: Sequence[LabelledTask]) -> dict[str, Any]:
    """Returns the model and its options.

    Args:
        tasks: Tasks.
    """
    options = MODELS.info(MODEL).preset(DEFAULT)
    if all(one.is_binary for one in tasks):
        del options["count_loss"]
    return {"name": MODEL, "options": options}


def training_defaults(rows: int, tasks: Sequence[LabelledTask]) -> dict[str, Any]:
    """Returns the settings of the training, which are the defaults of `TrainingSettings`, in full.

    Args:
        rows: Number of rows of the log.
        tasks: Tasks, the last one of which is monitored.
    """
    last, stage = tasks[-1].task, TrainingSettings()
    assert isinstance(stage.optimizer, AdamOptions)
    return {
        "batch_size": default_batch_size(round(rows * (1 - EVAL_SHARE - TEST_SHARE))),
        "learning_rate": stage.learning_rate,
        "optimizer": {"kind": stage.optimizer.kind, "epsilon": stage.optimizer.epsilon},
        "patience": stage.patience,
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
        if share * rows * TEST_SHARE < _MIN_TEST_POSITIVES:
            continue
        bounds = {"calibration": [0.5, 2.0]}
        thresholds[one.task.output] = {"min_auc": 0.5, **bounds} if one.is_binary else bounds
    return thresholds
