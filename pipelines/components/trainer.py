"""Trainer whose checkpoints may lie below the root of the run, and which may have no model to start from."""

from typing import Any

from tfx.components.trainer.executor import GenericExecutor
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import (
    Artifact,
    BaseChannel,
    Channel,
    standard_artifacts,
    standard_component_specs,
)
from tfx.types.component_spec import ExecutionParameter
from tfx.utils import json_utils

from pipelines.components.empty_artifact import present
from pipelines.components.root import ROOT, with_root

CHECKPOINTS = "checkpoints"
"""Key of `custom_config` with the folder of the checkpoints."""
_IN_WORKER = "pipelines.training.workers.train_in_worker"


class LogTrainerExecutor(GenericExecutor):
    """TFX's Trainer, with the root of the run in the folder of the checkpoints.

    A base model may stand for none (`pipelines.components.empty_artifact`).
    """

    def _GetFnArgs(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> FnArgs:
        found = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        if not present(input_dict.get("base_model")):
            found.base_model = None
        if CHECKPOINTS in found.custom_config:
            found.custom_config[CHECKPOINTS] = with_root(found.custom_config[CHECKPOINTS], exec_properties)
        return found


class LogTrainerSpec(standard_component_specs.TrainerSpec):
    """Inputs, outputs and parameters of TFX's Trainer, and the root of the run."""

    PARAMETERS = {  # noqa: RUF012
        **standard_component_specs.TrainerSpec.PARAMETERS,
        ROOT: ExecutionParameter(type=str, optional=True),
    }


class LogTrainer(base_component.BaseComponent):
    """Component that trains the model of the settings (`pipelines.training.trainer.run_fn`).

    If the settings ask for several workers, the training is that of `pipelines.training.workers.train_in_worker`.

    Args:
        examples: Examples of the log.
        transform_graph: Output of Transform.
        schema: Schema of the raw features.
        custom_config: Settings of the training, as `run_fn` reads them.
        base_model: Model whose weights the training starts from; None for random weights.
        hyperparameters: Output of the step Tuner, if there is one.
        root: Root of the run, on a cluster.
    """

    SPEC_CLASS = LogTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(LogTrainerExecutor)

    def __init__(
        self,
        examples: BaseChannel,
        transform_graph: BaseChannel,
        schema: BaseChannel,
        custom_config: dict[str, Any],
        base_model: BaseChannel | None = None,
        hyperparameters: BaseChannel | None = None,
        root: object = None,
    ):
        is_divided = custom_config["training"].get("distribution", {}).get("kind") == "multi_worker"
        super().__init__(
            LogTrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                schema=schema,
                base_model=base_model,
                hyperparameters=hyperparameters,
                run_fn=_IN_WORKER if is_divided else "pipelines.training.trainer.run_fn",
                train_args=trainer_pb2.TrainArgs(splits=["train"]),
                eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
                custom_config=json_utils.dumps(custom_config),
                root=root,
                model=Channel(type=standard_artifacts.Model),
                model_run=Channel(type=standard_artifacts.ModelRun),
            )
        )
