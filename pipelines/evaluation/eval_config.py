"""Configuration of TFMA: AUC or errors of counts, calibration, mean label and number of rows, by output on its space.

Each metric is computed overall and by scenario.
"""

from collections.abc import Mapping

from tensorflow_model_analysis.proto import config_pb2

from pipelines.evaluation.count_metrics import CountNMAE, CountSMAPE
from pipelines.settings import Thresholds
from tfmtl.spec import ENTIRE, DatasetSpec, Output

AUC = "auc"
CALIBRATION = "calibration"
MEAN_LABEL = "mean_label"
ROWS = "example_count"
NUM_THRESHOLDS = 10000
"""Number of thresholds between which TFMA interpolates the ROC curve; the AUC is then exact to about 1e-3."""


def eval_config(spec: DatasetSpec, thresholds: Mapping[str, Thresholds]) -> config_pb2.EvalConfig:
    """Creates TFMA's configuration.

    Each output has its own label and example weight. On the conditional space the weight is the label of the previous
    task, so that `cvr` is evaluated on the clicked rows and `ctcvr` on all rows. Thresholds apply to the overall slice
    only; those on the change of a metric apply if there is a baseline.

    Args:
        spec: Spec of the dataset.
        thresholds: Requirements by output name.
    """
    model = config_pb2.ModelSpec(signature_name="serving_default")
    if len(spec.outputs) == 1:
        model.label_key = spec.tasks[0].label
    else:
        for output in spec.outputs:
            model.label_keys[output.name] = spec.task(output.task).label
            if output.space != ENTIRE:
                model.example_weight_keys[output.name] = _previous_label(spec, output)
    slices = [config_pb2.SlicingSpec()]
    if spec.scenario:
        slices.append(config_pb2.SlicingSpec(feature_keys=[spec.scenario]))
    return config_pb2.EvalConfig(
        model_specs=[model],
        slicing_specs=slices,
        metrics_specs=[_metrics_spec(spec, output, thresholds.get(output.name)) for output in spec.outputs],
    )


def name_in_tfma(spec: DatasetSpec, output: Output) -> str:
    """Returns the name of an output in TFMA, which is empty if the model has one output only.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
    """
    return output.name if len(spec.outputs) > 1 else ""


def _metrics_spec(spec: DatasetSpec, output: Output, threshold: Thresholds | None) -> config_pb2.MetricsSpec:
    weights = config_pb2.ExampleWeightOptions(weighted=output.space != ENTIRE, unweighted=output.space == ENTIRE)
    names = [name] if (name := name_in_tfma(spec, output)) else []
    metrics = config_pb2.MetricsSpec(output_names=names, example_weights=weights)
    if spec.task(output.task).kind == "binary":
        auc = metrics.metrics.add(class_name="AUC", config=f'{{"name": "{AUC}", "num_thresholds": {NUM_THRESHOLDS}}}')
        if threshold is not None:
            _threshold(auc, lower=threshold.min_auc, max_drop=threshold.max_auc_drop)
        # TFMA's AUC of one class is 0; the mean of the labels tells that it is undefined.
        metrics.metrics.add(class_name="MeanLabel", config=f'{{"name": "{MEAN_LABEL}"}}')
    else:
        nmae = metrics.metrics.add(class_name=CountNMAE.__name__, module=CountNMAE.__module__)
        metrics.metrics.add(class_name=CountSMAPE.__name__, module=CountSMAPE.__module__)
        if threshold is not None:
            _threshold(nmae, upper=threshold.max_nmae, max_rise=threshold.max_nmae_rise)
    calibration = metrics.metrics.add(class_name="Calibration", config=f'{{"name": "{CALIBRATION}"}}')
    if threshold is not None:
        _threshold(calibration, lower=threshold.calibration[0], upper=threshold.calibration[1])
    metrics.metrics.add(class_name="ExampleCount", config=f'{{"name": "{ROWS}"}}')
    return metrics


def _threshold(
    metric: config_pb2.MetricConfig,
    lower: float | None = None,
    upper: float | None = None,
    max_drop: float | None = None,
    max_rise: float | None = None,
) -> None:
    bounds = config_pb2.MetricThreshold()
    if lower is not None:
        bounds.value_threshold.lower_bound.value = lower
    if upper is not None:
        bounds.value_threshold.upper_bound.value = upper
    if max_drop is not None:
        bounds.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        bounds.change_threshold.absolute.value = -max_drop
    if max_rise is not None:
        bounds.change_threshold.direction = config_pb2.MetricDirection.LOWER_IS_BETTER
        bounds.change_threshold.absolute.value = max_rise
    metric.per_slice_thresholds.add(slicing_specs=[config_pb2.SlicingSpec()], threshold=bounds)


def _previous_label(spec: DatasetSpec, output: Output) -> str:
    follows = spec.task(output.task).follows
    assert follows is not None
    return spec.task(follows).label
