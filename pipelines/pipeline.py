"""Definition of the pipeline, which does not depend on the runner."""

from collections.abc import Iterable, Sequence

from tfx.components import SchemaGen
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.pipeline import Pipeline
from tfx.types import BaseChannel
from tfx.types.channel import UnionChannel

from pipelines.components.accepted_log import EXAMPLES, STATISTICS
from pipelines.components.evaluator import LogEvaluator
from pipelines.components.example_gen import LogExampleGen
from pipelines.components.example_validator import REFUSE, REPORT, LogExampleValidator
from pipelines.components.resolvers import (
    accepted_log_resolver,
    baseline_resolver,
    vocabularies_resolver,
    warm_start_resolver,
)
from pipelines.components.span_merge import SpanMerge
from pipelines.components.statistics_gen import SampleStatisticsGen
from pipelines.components.transform import LogTransform
from pipelines.model_components import TRAINER, serving_components, training_components
from pipelines.settings import Settings
from pipelines.training_settings import LATEST
from transforms.readers.spans import SpanPattern, has_spans


def create_pipeline(
    settings: Settings,
    root: str,
    serving_dir: str,
    *,
    name: str = "",
    spans: Sequence[int] = (),
    schema: str = "",
    anomalies: str = REFUSE,
    checkpoints: str | None = None,
    trials: str | None = None,
    worker_arguments: Sequence[str] = (),
    metadata_connection_config: object = None,
    enable_cache: bool = True,
) -> Pipeline:
    """Creates the pipeline from raw log to pushed model.

    ExampleGen -> StatisticsGen -> SchemaGen -> ExampleValidator -> Transform -> Trainer -> Evaluator -> Pusher.

    Args:
        settings: Settings of the experiment.
        root: Folder to write artifacts to.
        serving_dir: Base directory of the served model, to which versions are pushed.
        name: Name of the pipeline; by default that of the settings.
        spans: Spans of the log to read, if its pattern has placeholders (see `data_components`).
        schema: Text of the schema with which the log is compared; empty for none.
        anomalies: What anomalies of the log do (`pipelines.components.example_validator`).
        checkpoints: Folder of the Trainer's checkpoints, for runners that give each run other folders; by default a
            folder beside the Trainer's outputs.
        trials: Folder in which the step Tuner keeps its trials (`pipelines.tuning.tuner_step`).
        worker_arguments: Arguments for Beam of the jobs that process every row: reading the log and evaluation.
        metadata_connection_config: Connection to the ML Metadata store, for runners that need one.
        enable_cache: Reuses the outputs of an earlier execution with the same inputs, parameters and code.
    """
    accepted = accepted_log_resolver()
    accepted_log = [accepted.outputs[key] for key in (STATISTICS, EXAMPLES)]
    data = data_components(settings, spans, schema, anomalies, accepted_log, grows=True)
    examples = data["LogExampleGen"]
    starts = []
    if settings.training.warm_start == LATEST:
        starts.append(warm_start_resolver(examples.outputs["examples"], has_spans(settings.data.pattern)))
    trained = training_components(
        settings, data, starts[0].outputs["model"] if starts else None, checkpoints=checkpoints, trials=trials
    )
    resolver = baseline_resolver(trained[TRAINER])
    judged = serving_components(settings, data, trained[TRAINER], resolver.outputs["model"], serving_dir)
    _add_arguments([*data.values(), *judged], worker_arguments)
    return Pipeline(
        pipeline_name=name or settings.name,
        pipeline_root=root,
        components=[accepted, *data.values(), *starts, *trained.values(), resolver, *judged],
        enable_cache=enable_cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(settings.beam_pipeline_args),
    )


def create_data_pipeline(
    settings: Settings,
    root: str,
    *,
    spans: Sequence[int] = (),
    worker_arguments: Sequence[str] = (),
    metadata_connection_config: object = None,
    enable_cache: bool = True,
) -> Pipeline:
    """Creates the part of the pipeline that does not depend on the model: ExampleGen to Transform.

    Args:
        settings: Settings of the experiment.
        root: Folder to write artifacts to.
        spans: Spans of the log to read, if its pattern has placeholders (see `data_components`).
        worker_arguments: Arguments for Beam of the jobs that process every row.
        metadata_connection_config: Connection to the ML Metadata store, for runners that need one.
        enable_cache: Reuses the outputs of an earlier execution with the same inputs, parameters and code.
    """
    components = list(data_components(settings, spans).values())
    _add_arguments(components, worker_arguments)
    return Pipeline(
        pipeline_name=settings.name,
        pipeline_root=root,
        components=components,
        enable_cache=enable_cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(settings.beam_pipeline_args),
    )


def _add_arguments(components: Iterable[BaseComponent], arguments: Sequence[str]) -> None:
    """Adds arguments for Beam to the components that process every row of the log."""
    for component in components:
        if arguments and isinstance(component, LogExampleGen | LogEvaluator):
            component.with_beam_pipeline_args(arguments)


def data_components(
    settings: Settings,
    spans: Sequence[int] = (),
    checked_schema: str = "",
    anomalies: str = REPORT,
    accepted: Sequence[BaseChannel] = (),
    grows: bool = False,
) -> dict[str, BaseComponent]:
    """Creates the components ExampleGen -> StatisticsGen -> SchemaGen -> ExampleValidator -> Transform.

    Statistics are computed on the sample that ExampleGen draws from the log (`transforms.ingest.sampling`).

    Args:
        settings: Settings of the experiment.
        spans: Spans of the log to read, if its pattern has placeholders. Each is read by a separate ExampleGen, so that
            a later run takes it from the cache, and the component `LogExampleGen` merges them. If empty,
            `LogExampleGen` itself reads the most recent span that exists when it runs.
        checked_schema: Text of the schema with which the log is compared; empty for none.
        anomalies: What anomalies of the log do; they are only reported by default.
        accepted: Statistics and examples of the last accepted log, with which this one is compared, if there is one.
        grows: Whether the vocabularies continue those of earlier runs, if the settings say for how long
            (`training.keep_days`).

    Returns:
        The components by name.
    """
    spec = settings.spec
    log = (settings.data.path, settings.data.pattern, settings.data.log_format, spec)
    parts, earlier = [], []
    for span in spans:
        name = SpanPattern(settings.data.pattern).name(span)
        parts.append(LogExampleGen(*log, span).with_id(f"{LogExampleGen.__name__}_{name}"))
    if parts:
        all_spans = UnionChannel([part.outputs["examples"] for part in parts])
        keep_days = settings.training.keep_days if grows else None
        if keep_days is not None:
            earlier.append(vocabularies_resolver(parts[-1].outputs["examples"]))
        kept = earlier[0].outputs[EXAMPLES] if earlier else None
        examples: BaseComponent = SpanMerge(all_spans, spec, kept, keep_days).with_id(LogExampleGen.__name__)
    else:
        examples = LogExampleGen(*log)
    checked = transform_components(settings, examples, checked_schema, anomalies, accepted)
    return {component.id: component for component in (*parts, *earlier, examples)} | checked


def transform_components(
    settings: Settings,
    examples: BaseComponent,
    checked_schema: str = "",
    anomalies: object = REPORT,
    accepted: Sequence[BaseChannel] = (),
) -> dict[str, BaseComponent]:
    """Creates the components StatisticsGen -> SchemaGen -> ExampleValidator -> Transform.

    Args:
        settings: Settings of the experiment.
        examples: Component that reads the log.
        checked_schema: Text of the schema with which the log is compared; empty for none.
        anomalies: What anomalies of the log do.
        accepted: Statistics and examples of the last accepted log, if there is one.

    Returns:
        The components by name.
    """
    statistics = SampleStatisticsGen(examples.outputs["examples"]).with_id("StatisticsGen")
    schema = SchemaGen(statistics.outputs["statistics"], infer_feature_shape=False)
    validator = LogExampleValidator(
        statistics.outputs["statistics"],
        examples.outputs["examples"],
        settings.spec,
        settings.data_checks,
        checked_schema,
        anomalies,
        *accepted,
    ).with_id("ExampleValidator")
    transform = LogTransform(examples.outputs["examples"], schema.outputs["schema"], settings.spec)
    transform = transform.with_id("Transform")
    transform.add_upstream_node(validator)  # Nothing is computed for training from a log that is refused.
    return {component.id: component for component in (statistics, schema, validator, transform)}
