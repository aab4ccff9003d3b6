"""Definition of the pipeline, which does not depend on the runner."""

from collections.abc import Sequence

from tfx.components import SchemaGen, StatisticsGen, Trainer
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.common.resolver import Resolver, ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2
from tfx.types.channel import UnionChannel

from pipelines.code_hash import code_hash
from pipelines.components.accepted_log import EXAMPLES, STATISTICS
from pipelines.components.baseline_resolver import BlessedPredecessorStrategy
from pipelines.components.evaluator import LogEvaluator
from pipelines.components.example_gen import LogExampleGen
from pipelines.components.example_validator import REFUSE, REPORT, LogExampleValidator
from pipelines.components.pusher import OncePusher
from pipelines.components.resolvers import (
    accepted_log_resolver,
    baseline_resolver,
    vocabularies_resolver,
    warm_start_resolver,
)
from pipelines.components.span_merge import SpanMerge
from pipelines.components.transform import LogTransform
from pipelines.components.warm_start_resolver import EarlierModelStrategy
from pipelines.settings import Settings
from pipelines.training.warm_start import fingerprint
from pipelines.training_settings import LATEST
from pipelines.tuning.tuner_step import BEST, LogTuner
from tfmtl.config import to_plain
from transforms.batches.raw_batch import SPLITS
from transforms.readers.spans import SpanPattern, has_spans

TUNER = "Tuner"
"""Name of the step that searches hyper-parameters, if the settings ask for it."""
PUSHER = "Pusher"
"""Name of the Pusher, which a runner should not take from the cache: it looks at the destination."""


def create_pipeline(
    settings: Settings,
    root: str,
    serving_dir: str,
    *,
    name: str = "",
    spans: Sequence[int] = (),
    baseline: type[ResolverStrategy] = LatestBlessedModelStrategy,
    warm_start: type[ResolverStrategy] = LatestBlessedModelStrategy,
    schema: str = "",
    anomalies: str = REFUSE,
    checkpoints: str | None = None,
    trials: str | None = None,
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
        baseline: Strategy of the resolver that finds the model with which the new one is compared. Kubeflow supports
            TFX's own one only, and no resolver of the last accepted log.
        warm_start: Strategy of the resolver that finds the model to start from, for the warm start `latest`.
        schema: Text of the schema with which the log is compared; empty for none.
        anomalies: What anomalies of the log do (`pipelines.components.example_validator`).
        checkpoints: Folder of the Trainer's checkpoints, for runners that give each run other folders; by default a
            folder beside the Trainer's outputs.
        trials: Folder in which the step Tuner keeps its trials (`pipelines.tuning.tuner_step`).
        metadata_connection_config: Connection to the ML Metadata store, for runners that need one.
        enable_cache: Reuses the outputs of an earlier execution with the same inputs, parameters and code.
    """
    spec = settings.spec
    resolvers = [accepted_log_resolver()] if baseline is BlessedPredecessorStrategy else []
    grows = warm_start is EarlierModelStrategy
    data = data_components(settings, spans, schema, anomalies, resolvers, grows)
    examples, raw_schema, transform = (data[name] for name in ("LogExampleGen", "SchemaGen", "Transform"))
    starts = []
    if settings.training.warm_start == LATEST:
        starts.append(warm_start_resolver(examples.outputs["examples"], warm_start, has_spans(settings.data.pattern)))
    tuners = []
    if settings.tune.trials:
        tuner = LogTuner(examples.outputs["examples"], transform.outputs["transform_graph"], settings, trials)
        tuners.append(tuner.with_id(TUNER))
    trainer = Trainer(
        run_fn="pipelines.training.trainer.run_fn",
        examples=examples.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=raw_schema.outputs["schema"],
        base_model=starts[0].outputs["model"] if starts else None,
        hyperparameters=tuners[0].outputs[BEST] if tuners else None,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "name": settings.name,
            "spec": spec.to_dict(),
            "data": to_plain(settings.data.log_format),
            "model": to_plain(settings.model),
            "training": to_plain(settings.training),
            "warm_start": fingerprint(settings.training.warm_start),
            **({"checkpoints": checkpoints} if checkpoints else {}),
            "code": code_hash("pipelines.training.trainer"),
        },
    )
    resolver = baseline_resolver(trainer, baseline)
    evaluator = LogEvaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=resolver.outputs["model"],
        spec=spec,
        thresholds=settings.thresholds,
        export=settings.export,
    ).with_id("Evaluator")
    pusher = OncePusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
        ),
    ).with_id(PUSHER)
    return Pipeline(
        pipeline_name=name or settings.name,
        pipeline_root=root,
        components=[*resolvers, *data.values(), *starts, *tuners, trainer, resolver, evaluator, pusher],
        enable_cache=enable_cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(settings.beam_pipeline_args),
    )


def create_data_pipeline(
    settings: Settings,
    root: str,
    *,
    spans: Sequence[int] = (),
    metadata_connection_config: object = None,
    enable_cache: bool = True,
) -> Pipeline:
    """Creates the part of the pipeline that does not depend on the model: ExampleGen to Transform.

    Args:
        settings: Settings of the experiment.
        root: Folder to write artifacts to.
        spans: Spans of the log to read, if its pattern has placeholders (see `data_components`).
        metadata_connection_config: Connection to the ML Metadata store, for runners that need one.
        enable_cache: Reuses the outputs of an earlier execution with the same inputs, parameters and code.
    """
    return Pipeline(
        pipeline_name=settings.name,
        pipeline_root=root,
        components=list(data_components(settings, spans).values()),
        enable_cache=enable_cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(settings.beam_pipeline_args),
    )


def data_components(
    settings: Settings,
    spans: Sequence[int] = (),
    checked_schema: str = "",
    anomalies: str = REPORT,
    accepted: Sequence[Resolver] = (),
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
        accepted: Resolver of the last accepted log, with which this one is compared, if there is one.
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
    statistics = StatisticsGen(examples.outputs["examples"], exclude_splits=list(SPLITS))
    schema = SchemaGen(statistics.outputs["statistics"], infer_feature_shape=False)
    validator = LogExampleValidator(
        statistics.outputs["statistics"],
        examples.outputs["examples"],
        spec,
        settings.data_checks,
        checked_schema,
        anomalies,
        *(resolver.outputs[key] for resolver in accepted for key in (STATISTICS, EXAMPLES)),
    ).with_id("ExampleValidator")
    transform = LogTransform(examples.outputs["examples"], schema.outputs["schema"], spec).with_id("Transform")
    transform.add_upstream_node(validator)  # Nothing is computed for training from a log that is refused.
    return {
        component.id: component for component in (*parts, *earlier, examples, statistics, schema, validator, transform)
    }
