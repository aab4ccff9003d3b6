"""Mean labels of counts in the training rows, where training begins."""

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
    """Returns the options of a model with the mean labels of its counts, unless the options give them.

    Args:
        options: Options of the model, as plain data.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the training rows, compressed with GZIP.
    """
    has_counts = any(task.kind == "count" for task in inputs.spec.tasks)
    if OPTION in options or not has_counts:
        return dict(options)
    return {**options, OPTION: count_means(inputs, files)}


def count_means(inputs: InputPipeline, files: Sequence[str]) -> dict[str, float]:
    """Returns the mean label of each count by task name; of a count with an offset, that per unit of exposure.

    A count without any event is left out.

    Args:
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the training rows, compressed with GZIP.
    """
    counts = [task.name for task in inputs.spec.tasks if task.kind == "count"]
    floors = {name: offset.floor for name, offset in offsets(inputs.spec).items()}
    events: dict[str, float] = collections.defaultdict(float)
    exposures: dict[str, float] = collections.defaultdict(float)
    for features, labels, *weighted in inputs.blocks(files, _OPEN_FILES):
        weights = weighted[0].numpy() if weighted else 1.0
        for name in counts:
            exposure = np.ones(len(labels[name]))
            if name in floors:
                given = features[name + EXPOSURE_SUFFIX].numpy()
                exposure = np.where(given > floors[name], given, floors[name])
            events[name] += (weights * labels[name].numpy()).sum(dtype=np.float64)
            exposures[name] += (weights * exposure).sum(dtype=np.float64)
    return {name: float(events[name] / exposures[name]) for name in counts if events[name] > 0}
