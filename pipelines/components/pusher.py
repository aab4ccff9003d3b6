"""Pusher of blessed models, which pushes each model once and keeps a record of it at the destination."""

import datetime
import math
from typing import Any

from absl import logging
from tfx.components.pusher import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Artifact, BaseChannel, Channel, artifact_utils, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipelines.components.cluster_example_gen import log_fingerprint
from pipelines.components.example_gen import COUNTS, REPORT, VOCABULARIES
from pipelines.components.root import ROOT, with_root
from pipelines.evaluation.records import read_gates, read_measured
from pipelines.gates.gate import gates_to_plain
from pipelines.gates.report import refusal
from pipelines.pushing.destination import fingerprint, is_complete, newest_version
from pipelines.pushing.model_record import (
    LOG,
    MODEL_RUN,
    STATISTICS,
    TOKEN_COUNTS,
    ModelRecord,
    spec_hash,
    write_record,
)
from pipelines.pushing.push import copy_model, push
from pipelines.pushing.rolled_back import rollback_of
from pipelines.settings import KERAS_MODEL
from tfmtl.config import ConfigError
from transforms.storage.files import files_below

ROLLED_BACK = "rolled_back_version"
"""Property of a `PushedModel` that was not pushed, as its model was rolled back: the version that served the model."""
_EVALUATION, _EXAMPLES, _STATISTICS = "evaluation", "examples", "statistics"
_BLESSING, _MODEL = "model_blessing", "model"


class ModelRefused(ConfigError):
    """Raised by a Pusher that ends the run if the model did not pass the gates."""

    exit_code = 3


class OncePusherExecutor(executor.Executor):
    """Pusher that pushes atomically (`pipelines.pushing.push`), and only what is not served yet.

    A model is not pushed if the newest version at the destination is complete and has the same fingerprint
    (`serving.export.fingerprint`), or if the model was rolled back (`pipelines.pushing.rolled_back`). The destination
    is not a part of TFX's cache key, so that this component is never taken from the cache.
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed."""
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        base = with_root(exec_properties["destination"], exec_properties)
        model = self.GetModelPath(input_dict)
        refused, on_cluster = rollback_of(base, fingerprint(model)), bool(exec_properties["must_pass"])
        if refused is not None:
            self._MarkNotPushed(pushed)
            pushed.set_string_custom_property(ROLLED_BACK, str(refused.version))
            outcome = f"The model was rolled back at {refused.time} (version {refused.version}): it is not pushed."
        elif not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            outcome = refusal(read_gates(artifact_utils.get_single_uri(input_dict[_EVALUATION])))
            if on_cluster:
                raise ModelRefused(outcome)
        elif _is_served(model, base):
            self._MarkNotPushed(pushed)
            outcome = f"The newest version in {base} is already this model: nothing is pushed."
        else:
            _record(base, model, input_dict, exec_properties["spec_hash"])
            version = str(push(model, base))
            copy_model(model, pushed.uri)
            self._MarkPushed(pushed, pushed_destination=f"{base}/{version}", pushed_version=version)
            outcome = f"pushed version {version} -> {base}"
        # On a laptop, the command line prints it below its table.
        (print if on_cluster else logging.info)(outcome)


class OncePusherSpec(ComponentSpec):
    """Inputs, outputs and parameters of `OncePusher`."""

    PARAMETERS = {  # noqa: RUF012
        "destination": ExecutionParameter(type=str),
        ROOT: ExecutionParameter(type=str, optional=True),
        "spec_hash": ExecutionParameter(type=str),
        "must_pass": ExecutionParameter(type=int),
    }
    INPUTS = {  # noqa: RUF012
        _MODEL: ChannelParameter(type=standard_artifacts.Model),
        _BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        _EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        _EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        _STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        MODEL_RUN: ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        standard_component_specs.PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel)
    }


class OncePusher(base_component.BaseComponent):
    """Component that pushes each blessed model once (`OncePusherExecutor`).

    Args:
        model: Model of the Trainer.
        model_blessing: Blessing of the Evaluator.
        evaluation: Metrics and gates of the Evaluator, for the record of the model.
        examples: Examples that the model was trained on.
        destination: Folder with one folder per version.
        spec: Spec of the dataset, as JSON text.
        statistics: Statistics of the log, which the record keeps for later data checks; None to keep none.
        model_run: Keras model and vocabularies, which the record keeps for later trainings; None to keep none.
        root: Root of the run, on a cluster.
        must_pass: Whether a model that is not blessed ends the run with an error.
    """

    SPEC_CLASS = OncePusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(OncePusherExecutor)

    def __init__(
        self,
        model: BaseChannel,
        model_blessing: BaseChannel,
        evaluation: BaseChannel,
        examples: BaseChannel,
        destination: str,
        spec: str,
        statistics: BaseChannel | None = None,
        model_run: BaseChannel | None = None,
        root: object = None,
        must_pass: bool = False,
    ):
        super().__init__(
            OncePusherSpec(
                model=model,
                model_blessing=model_blessing,
                evaluation=evaluation,
                examples=examples,
                statistics=statistics,
                model_run=model_run,
                destination=destination,
                root=root,
                spec_hash=spec_hash(spec),
                must_pass=int(must_pass),
                pushed_model=Channel(type=standard_artifacts.PushedModel),
            )
        )


def _is_served(model: str, base: str) -> bool:
    newest, candidate = newest_version(base), fingerprint(model)
    is_same = newest is not None and candidate is not None and fingerprint(newest) == candidate
    return is_same and is_complete(str(newest))


def _record(base: str, model: str, input_dict: dict[str, list[Artifact]], spec: str) -> None:
    """Writes the record of a model, with what a later run continues if the runner looks for it there."""
    examples = artifact_utils.get_single_instance(input_dict[_EXAMPLES])
    evaluation = artifact_utils.get_single_uri(input_dict[_EVALUATION])
    metrics = {
        one.output: {name: _finite(value) for name, value in vars(one).items() if type(value) in (float, int)}
        for one in read_measured(evaluation)
        if not one.slice
    }
    record = ModelRecord(
        fingerprint=fingerprint(model) or "",
        spec=spec,
        span=int(examples.get_int_custom_property("span") or 0),
        log=log_fingerprint(examples),
        time=datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
        metrics=metrics,
        gates=gates_to_plain(read_gates(evaluation)),
    )
    if record.fingerprint:
        write_record(base, record, _files(input_dict, examples.uri))


def _files(input_dict: dict[str, list[Artifact]], examples: str) -> dict[str, str]:
    """Returns the files that later runs need, by path in the record."""
    files = {}
    if input_dict.get(_STATISTICS):
        statistics = artifact_utils.get_single_uri(input_dict[_STATISTICS])
        files = {f"{STATISTICS}/{name}": f"{statistics}/{name}" for name in files_below(statistics)}
        files[f"{LOG}/{REPORT}"] = f"{examples}/{REPORT}"
    if input_dict.get(MODEL_RUN):
        model_run, counts = artifact_utils.get_single_uri(input_dict[MODEL_RUN]), f"{examples}/{COUNTS}"
        names = [KERAS_MODEL, *(f"{VOCABULARIES}/{name}" for name in files_below(f"{model_run}/{VOCABULARIES}"))]
        files |= {f"{MODEL_RUN}/{name}": f"{model_run}/{name}" for name in names}
        files |= {f"{TOKEN_COUNTS}/{name}": f"{counts}/{name}" for name in files_below(counts)}
    return files


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
