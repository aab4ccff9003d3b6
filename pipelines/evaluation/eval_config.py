"""Configuration of TFMA, with which its views show the metrics of an evaluation."""

from tensorflow_model_analysis.proto import config_pb2

from tfmtl.spec import ENTIRE, DatasetSpec, Output

CANDIDATE_MODEL, BASELINE_MODEL = "candidate", "baseline"
"""Names of the two models in TFMA; a single one has no name."""


def eval_config(spec: DatasetSpec, has_baseline: bool = False) -> config_pb2.EvalConfig:
    """Creates TFMA's configuration.

    Each output has its own label and example weight. On the conditional space the weight is the label of the previous
    task, so that `cvr` is evaluated on the clicked rows and `ctcvr` on all rows.

    Args:
        spec: Spec of the dataset.
        has_baseline: True if there are metrics of the served model too.
    """
    names = [CANDIDATE_MODEL, BASELINE_MODEL] if has_baseline else [""]
    slices = [config_pb2.SlicingSpec()]
    if spec.scenario:
        slices.append(config_pb2.SlicingSpec(feature_keys=[spec.scenario]))
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(spec, name) for name in names],
        slicing_specs=slices,
        metrics_specs=[_metrics_spec(spec, output) for output in spec.outputs],
    )


def name_in_tfma(spec: DatasetSpec, output: Output) -> str:
    """Returns the name of an output in TFMA, which is empty if the model has one output only.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
    """
    return output.name if len(spec.outputs) > 1 else ""


def _model_spec(spec: DatasetSpec, name: str) -> config_pb2.ModelSpec:
    model = config_pb2.ModelSpec(name=name, signature_name="serving_default", is_baseline=name == BASELINE_MODEL)
    if len(spec.outputs) == 1:
        model.label_key = spec.tasks[0].label
        return model
    for output in spec.outputs:
        model.label_keys[output.name] = spec.task(output.task).label
        if output.space != ENTIRE:
            model.example_weight_keys[output.name] = _previous_label(spec, output)
    return model


def _metrics_spec(spec: DatasetSpec, output: Output) -> config_pb2.MetricsSpec:
    weights = config_pb2.ExampleWeightOptions(weighted=output.space != ENTIRE, unweighted=output.space == ENTIRE)
    names = [name] if (name := name_in_tfma(spec, output)) else []
    metrics = config_pb2.MetricsSpec(output_names=names, example_weights=weights)
    classes = ["ExampleCount", "Calibration", "MeanLabel"]
    if spec.task(output.task).kind == "binary":
        classes += ["AUC", "BinaryCrossEntropy"]
    for name in classes:
        metrics.metrics.add(class_name=name)
    return metrics


def _previous_label(spec: DatasetSpec, output: Output) -> str:
    follows = spec.task(output.task).follows
    assert follows is not None
    return spec.task(follows).label
