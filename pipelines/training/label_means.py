"""Mean labels of counts and values in the training rows, where training begins."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.training.input_pipeline import InputPipeline
from tfmtl.model_inputs import offsets
from tfmtl.offsets import EXPOSURE_SUFFIX

OPTION = "label_means"
_OPEN_FILES = 8


def with_label_means(options: Mapping[str, Any], inputs: InputPipeline, files: Sequence[str]) -> dict[str, Any]:
    """Returns the options of a model with the mean labels of its counts and values, unless the options give them.

    Args:
        options: Options of the model, as plain data.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the training rows, compressed with GZIP.
    """
    has_amounts = any(task.kind != "binary" for task in inputs.spec.tasks)
    if OPTION in options or not has_amounts:
        return dict(options)
    return {**options, OPTION: label_means(inputs, files)}


def label_means(inputs: InputPipeline, files: Sequence[str]) -> dict[str, float]:
    """Returns the mean label of each count and value by task name; with an offset, that per unit of exposure.

    The mean of a value that follows another task is that over the rows where the label of that task is 1. A task whose
    labels are all 0 is left out.

    Args:
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the training rows, compressed with GZIP.
    """
    tasks = [task for task in inputs.spec.tasks if task.kind != "binary"]
    floors = {name: offset.floor for name, offset in offsets(inputs.spec).items()}
    amounts: dict[str, float] = collections.defaultdict(float)
    exposures: dict[str, float] = collections.defaultdict(float)
    for features, labels, *weighted in inputs.blocks(files, _OPEN_FILES):
        for task in tasks:
            name, values = task.name, labels[task.name].numpy()
            weights = (weighted[0].numpy() if weighted else 1.0) * ~np.isnan(values)
            if task.follows is not None:
                weights = weights * (labels[task.follows].numpy() == 1)
            exposure = np.ones(len(values))
            if name in floors:
                given = features[name + EXPOSURE_SUFFIX].numpy()
                exposure = np.where(given > floors[name], given, floors[name])
            amounts[name] += (weights * np.nan_to_num(values)).sum(dtype=np.float64)
            exposures[name] += (weights * exposure).sum(dtype=np.float64)
    return {task.name: float(amounts[task.name] / exposures[task.name]) for task in tasks if amounts[task.name] > 0}
