"""Files of an evaluation that TFMA's functions and views open."""

import math
import os
from collections.abc import Sequence

import tensorflow as tf
from google.protobuf import json_format
from tensorflow_model_analysis import version
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2

from pipelines.evaluation.eval_config import BASELINE_MODEL, CANDIDATE_MODEL, eval_config, name_in_tfma
from pipelines.gates.measured import Measured
from tfmtl.spec import ENTIRE, DatasetSpec

METRICS = {
    "auc": "auc",
    "calibration": "calibration",
    "mean_label": "mean_label",
    "rows": "example_count",
    "log_loss": "binary_crossentropy",
    "gauc": "gauc",
    "nmae": "nmae",
    "smape": "smape",
    "gini": "gini",
}
"""Name in TFMA by the name of the attribute."""
_OF_BASELINE = ("auc", "calibration", "log_loss", "gauc", "nmae", "gini")


def write_tfma_files(
    spec: DatasetSpec, folder: str, measured: Sequence[Measured], is_blessed: bool, has_baseline: bool
) -> None:
    """Writes metrics, configuration and validation result; `tfma.load_eval_result(folder)` reads them.

    Args:
        spec: Spec of the dataset.
        folder: Folder of the evaluation.
        measured: Metrics of each output on all rows and in each scenario.
        is_blessed: True if the model passes its gates.
        has_baseline: True if the served model was measured too.
    """
    slices: dict[str, metrics_for_slice_pb2.MetricsForSlice] = {}
    for one in measured:
        proto = slices.setdefault(one.slice, metrics_for_slice_pb2.MetricsForSlice())
        if one.slice and not proto.slice_key.single_slice_keys:
            proto.slice_key.single_slice_keys.add(column=spec.scenario, bytes_value=one.slice.encode())
        for attribute, name in METRICS.items():
            _add(spec, proto, one, name, float(getattr(one, attribute)), CANDIDATE_MODEL if has_baseline else "")
            if has_baseline and attribute in _OF_BASELINE:
                _add(spec, proto, one, name, getattr(one, f"baseline_{attribute}"), BASELINE_MODEL)
    with tf.io.TFRecordWriter(os.path.join(folder, "metrics-00000-of-00001.tfrecord")) as writer:
        for proto in slices.values():
            writer.write(proto.SerializeToString())
    with tf.io.TFRecordWriter(os.path.join(folder, "validations.tfrecord")) as writer:
        writer.write(validation_result_pb2.ValidationResult(validation_ok=is_blessed).SerializeToString())
    run = config_pb2.EvalRun(eval_config=eval_config(spec, has_baseline), version=version.VERSION)
    with tf.io.gfile.GFile(os.path.join(folder, "eval_config.json"), "w") as file:
        file.write(json_format.MessageToJson(run))


def _add(
    spec: DatasetSpec,
    proto: metrics_for_slice_pb2.MetricsForSlice,
    one: Measured,
    name: str,
    value: float,
    model: str,
) -> None:
    if math.isnan(value):
        return
    output = next(output for output in spec.outputs if output.name == one.output)
    key = metrics_for_slice_pb2.MetricKey(name=name, model_name=model, output_name=name_in_tfma(spec, output))
    key.example_weighted.value = output.space != ENTIRE
    key.is_diff = False
    entry = proto.metric_keys_and_values.add(key=key)
    entry.value.double_value.value = value
