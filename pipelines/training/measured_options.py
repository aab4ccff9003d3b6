"""Options of a model that depend on its training rows: mean labels of counts, and the number of planned steps."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.label_means import with_label_means
from pipelines.training.row_counts import estimate_rows
from pipelines.training_settings import TrainingSettings
from tfmtl.models import MODELS

OPTION = "gamma_steps"
_REPLACED_BY = (OPTION, "gamma_decay")
"""Options with which the settings give the schedule themselves."""


def with_measured_options(
    model: str, options: Mapping[str, Any], training: TrainingSettings, inputs: InputPipeline, files: Sequence[str]
) -> dict[str, Any]:
    """Returns the options of a model with those that are measured on its training rows, unless the options give them.

    Args:
        model: Name of the model.
        options: Options of the model, as plain data.
        training: Training settings.
        inputs: Input pipeline that reads the files, with the batch size of the training.
        files: TFRecord files of the training rows, compressed with GZIP.
    """
    return with_planned_steps(model, with_label_means(options, inputs, files), training, inputs.batch_size, files)


def with_planned_steps(
    model: str, options: Mapping[str, Any], training: TrainingSettings, rows_per_step: int, files: Sequence[str]
) -> dict[str, Any]:
    """Returns the options of a model with its planned number of training steps, if the model has a schedule of its own.

    The number is `max_epochs` times the steps of an epoch, for a model that has the option `gamma_steps`. Options that
    give `gamma_steps` or `gamma_decay` stay as they are.

    Args:
        model: Name of the model.
        options: Options of the model, as plain data.
        training: Training settings.
        rows_per_step: Batch size.
        files: TFRecord files of the training rows, compressed with GZIP.
    """
    names = {field.name for field in dataclasses.fields(MODELS.info(model).options_class)}
    if OPTION not in names or any(options.get(name) is not None for name in _REPLACED_BY):
        return dict(options)
    steps = training.max_epochs * math.ceil(estimate_rows(sorted(files)) / rows_per_step)
    return {**options, OPTION: max(1, steps)}
