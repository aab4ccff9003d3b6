"""Components of the pipeline behind the data: Tuner, Trainer, Evaluator and Pusher."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.types import BaseChannel

from pipelines.code_hash import code_hash
from pipelines.components.evaluator import LogEvaluator
from pipelines.components.pusher import OncePusher
from pipelines.components.trainer import CHECKPOINTS, LogTrainer
from pipelines.settings import Settings
from pipelines.training.warm_start import fingerprint
from pipelines.tuning.tuner_step import BEST, LogTuner
from tfmtl.config import to_plain

TUNER = "Tuner"
"""Name of the step that searches hyper-parameters, if the settings ask for it."""
TRAINER = "Trainer"
PUSHER = "Pusher"
"""Name of the Pusher, which a runner should not take from the cache: it looks at the destination."""


def training_components(
    settings: Settings,
    data: Mapping[str, BaseComponent],
    start: BaseChannel | None,
    *,
    checkpoints: str | None = None,
    trials: str | None = None,
    root: object = None,
) -> dict[str, BaseComponent]:
    """Creates the Trainer, and before it the step Tuner if the settings ask for one.

    Args:
        settings: Settings of the experiment.
        data: Components of the data (`pipelines.pipeline.data_components`).
        start: Model that the training starts from; None for none.
        checkpoints: Folder of the Trainer's checkpoints; None for one beside its outputs.
        trials: Folder in which the step Tuner keeps its trials; None to keep none.
        root: Root of the run, on a cluster.

    Returns:
        The components by name.
    """
    examples, schema, transform = (data[name] for name in ("LogExampleGen", "SchemaGen", "Transform"))
    tuners = []
    if settings.tune.trials:
        tuner = LogTuner(examples.outputs["examples"], transform.outputs["transform_graph"], settings, trials)
        tuners.append(tuner.with_id(TUNER))
    trainer = LogTrainer(
        examples=examples.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        base_model=start,
        hyperparameters=tuners[0].outputs[BEST] if tuners else None,
        root=root,
        custom_config={
            "name": settings.name,
            "spec": settings.spec.to_dict(),
            "data": to_plain(settings.data.log_format),
            "model": to_plain(settings.model),
            "training": to_plain(settings.training),
            "warm_start": fingerprint(settings.training.warm_start),
            **({CHECKPOINTS: checkpoints} if checkpoints else {}),
            "code": code_hash("pipelines.components.trainer", "pipelines.training.trainer"),
        },
    ).with_id(TRAINER)
    return {component.id: component for component in (*tuners, trainer)}


def serving_components(
    settings: Settings,
    data: Mapping[str, BaseComponent],
    trainer: BaseComponent,
    baseline: BaseChannel,
    destination: str,
    **cluster: Any,
) -> tuple[BaseComponent, BaseComponent]:
    """Creates the components Evaluator -> Pusher.

    Args:
        settings: Settings of the experiment.
        data: Components of the data (`pipelines.pipeline.data_components`).
        trainer: The Trainer.
        baseline: Model with which the new one is compared.
        destination: Base directory of the served model, to which versions are pushed.
        cluster: Options of the Pusher on a cluster: `root`, `statistics`, `model_run`, `must_pass`.
    """
    evaluator = LogEvaluator(
        examples=data["LogExampleGen"].outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline,
        spec=settings.spec,
        thresholds=settings.thresholds,
        export=settings.export,
    ).with_id("Evaluator")
    pusher = OncePusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        examples=data["LogExampleGen"].outputs["examples"],
        destination=destination,
        spec=settings.spec.to_json(),
        **cluster,
    ).with_id(PUSHER)
    return evaluator, pusher
