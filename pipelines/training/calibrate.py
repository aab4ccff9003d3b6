"""Calibration of a trained model on the rows of the eval split."""

import warnings
from collections.abc import Sequence

from pipelines.training.input_pipeline import InputPipeline
from tfmtl.models import MultiTaskModel


def calibrate(model: MultiTaskModel, inputs: InputPipeline, files: Sequence[str]) -> None:
    """Fits the maps of the heads that the model's option `calibration` names, and prints a line for each of them.

    Args:
        model: Trained model.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the eval split. Every worker of a distributed training reads all of them.
    """
    methods = model.serving_model().options.calibration_methods(model.spec)
    if not methods:
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scenarios = model.calibrate(inputs.evaluation(files))
    for task, count in scenarios.items():
        maps = f"one map for all rows, and {count} for values of {model.spec.scenario}" if count else "one map"
        print(f"    calibration of {task}: {methods[task]}, {maps}")
    for warning in caught:
        if issubclass(warning.category, UserWarning) and "not calibrated" in str(warning.message):
            print(f"    calibration: {warning.message}")
