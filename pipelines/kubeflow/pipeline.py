"""The pipeline on a cluster: no node asks a store of metadata, and no step needs a driver."""

import dataclasses

from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from pipelines.beam_runner import with_runner
from pipelines.components.cluster_example_gen import ClusterExampleGen
from pipelines.components.root import ROOT
from pipelines.components.served_model import ACCEPTED_EXAMPLES, ACCEPTED_STATISTICS, BASELINE, START, ServedModel
from pipelines.model_components import TRAINER, serving_components, training_components
from pipelines.pipeline import transform_components
from pipelines.settings import Settings
from pipelines.training_settings import LATEST
from transforms.readers.spans import has_spans

ANOMALIES = "anomalies"
"""Parameter of a run: `refuse`, `accept` or `report` (`pipelines.components.example_validator`)."""


def create_cluster_pipeline(settings: Settings, root: str, name: str, schema: str = "") -> Pipeline:
    """Creates the pipeline from raw log to pushed model for a cluster.

    ClusterExampleGen -> ServedModel -> StatisticsGen -> SchemaGen -> ExampleValidator -> Transform -> Trainer ->
    Evaluator -> Pusher.

    Its parameters are `data`, the folder of the log, `root`, below which models are pushed and checkpoints are written,
    `anomalies`, what anomalies of the log do, and, if the log has spans, `date`, the last one to read. The log and the
    model with which the new ones are compared, and the model that a training starts from, are found at the push
    destination. A model that does not pass the gates ends the run with an error. No step is taken from a cache, as the
    key of a cluster's cache does not know the files of the log.

    Args:
        settings: Settings of the experiment.
        root: Folder to write artifacts to.
        name: Name of the pipeline.
        schema: Text of the schema with which the log is compared; empty for none.
    """
    kubeflow, spanned = settings.kubeflow, has_spans(settings.data.pattern)
    settings = dataclasses.replace(settings, beam_pipeline_args=tuple(with_runner(settings.beam_pipeline_args)))
    destination = kubeflow.destination.replace("{name}", settings.name)
    data_parameter, root_parameter = RuntimeParameter("data", str), RuntimeParameter(ROOT, str)
    date_parameter = RuntimeParameter("date", str) if spanned else None
    keep_days = settings.training.keep_days
    warm = settings.training.warm_start == LATEST
    log = (settings.data, settings.spec, destination, root_parameter, keep_days)
    examples = ClusterExampleGen(data_parameter, date_parameter, *log).with_id("LogExampleGen")
    served = ServedModel(examples.outputs["examples"], destination, root_parameter, spanned, warm)
    accepted = [served.outputs[key] for key in (ACCEPTED_STATISTICS, ACCEPTED_EXAMPLES)]
    anomalies = RuntimeParameter(ANOMALIES, str)
    data = {examples.id: examples, **transform_components(settings, examples, schema, anomalies, accepted)}
    checkpoints = kubeflow.checkpoints.replace("{name}", settings.name)
    start = served.outputs[START] if warm else None
    trained = training_components(settings, data, start, checkpoints=checkpoints, root=root_parameter)
    trainer = trained[TRAINER]
    judged = serving_components(
        settings,
        data,
        trainer,
        served.outputs[BASELINE],
        destination,
        root=root_parameter,
        statistics=data["StatisticsGen"].outputs["statistics"],
        model_run=trainer.outputs["model_run"] if warm else None,
        must_pass=True,
    )
    return Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[served, *data.values(), *trained.values(), *judged],
        enable_cache=False,
        beam_pipeline_args=list(settings.beam_pipeline_args),
    )
