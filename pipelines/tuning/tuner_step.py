"""Component that searches hyper-parameters on the examples of the pipeline, as `tfmtl tune` does."""

import json
import os
import pathlib
import tempfile
from typing import Any

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import Artifact, BaseChannel, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipelines.code_hash import code_hash
from pipelines.fork_server import TRAINING_LIBRARIES, ForkServer
from pipelines.prepared.prepared import Prepared
from pipelines.prepared.write_prepared import write_prepared
from pipelines.settings import Settings
from pipelines.tuning.plan import SearchPlan, make_plan
from pipelines.tuning.search import in_worker, ranked, search
from pipelines.tuning.trials import TRIALS, Trial, TrialFolder, locked_trials
from pipelines.tuning.tuned_settings import changed_values
from tfmtl.config import ConfigError, Document, build, to_plain

BEST, RESULTS = "best_hyperparameters", "best_hyperparameters.txt"
"""Output of the component, and the name of its file."""
_EXAMPLES, _TRANSFORM = "examples", "transform_graph"


class TunerExecutor(base_executor.BaseExecutor):
    """Runs the trials that the folder of trials does not have, and writes the options and settings of the best one.

    The file is JSON with `model` and `training`, which the Trainer uses in place of those of the settings, and with
    `trial`, `trials`, `objective`, `metric`, `metric_before` and `changed` for reports.
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches hyper-parameters."""
        document = Document(json.loads(exec_properties["settings"]))
        settings = build(Settings, document)
        plan = make_plan(settings, document, settings.tune.method, settings.tune.seed)
        best = artifact_utils.get_single_instance(output_dict[BEST])
        examples, graph = (artifact_utils.get_single_uri(input_dict[name]) for name in (_EXAMPLES, _TRANSFORM))
        with tempfile.TemporaryDirectory(prefix="tfmtl_tuner_") as name:
            folder = pathlib.Path(name)
            write_prepared(settings, examples, graph, {}, folder)
            data, root = Prepared.load(folder), pathlib.Path(exec_properties.get("trials") or name)
            with locked_trials(root):
                trials = TrialFolder(root / TRIALS / plan.key(data.fingerprint))
                with ForkServer(TRAINING_LIBRARIES) as workers:
                    execute = in_worker(data, workers.run)
                    done = search(plan, data.fingerprint, trials, settings.tune.trials, execute, _Lines(plan))
        if not ranked(plan, done):
            raise ConfigError(f"tune: a trial should succeed. Received: all {len(done)} failed: {done[-1].error}")
        fileio.makedirs(best.uri)
        with fileio.open(os.path.join(best.uri, RESULTS), "w") as file:
            file.write(json.dumps(_result(plan, done), indent=1))


class TunerSpec(ComponentSpec):
    """Inputs, outputs and parameters of `LogTuner`."""

    PARAMETERS = {  # noqa: RUF012
        "settings": ExecutionParameter(type=str),
        "trials": ExecutionParameter(type=str, optional=True),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        _EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        _TRANSFORM: ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {BEST: ChannelParameter(type=standard_artifacts.HyperParameters)}  # noqa: RUF012


class LogTuner(base_component.BaseComponent):
    """Component that searches the hyper-parameters of the settings' model (`tune` of the settings).

    Its output is an input of TFX's Trainer. Trials are kept in a folder, so that a search that was interrupted
    continues, and one that `tfmtl tune` made of the same data and settings is used.

    Args:
        examples: Examples of the log.
        transform_graph: Output of Transform.
        settings: Settings of the experiment.
        trials: Folder whose subfolder `trials` keeps the trials, on a local disk; None to keep none.
    """

    SPEC_CLASS = TunerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(TunerExecutor)

    def __init__(
        self, examples: BaseChannel, transform_graph: BaseChannel, settings: Settings, trials: str | None = None
    ):
        plain = {
            "name": settings.name,
            "spec": settings.spec.to_dict(),
            "model": to_plain(settings.model),
            "training": to_plain(settings.training),
            "tune": to_plain(settings.tune),
        }
        best = Channel(type=standard_artifacts.HyperParameters)
        arguments = {
            "settings": json.dumps(plain, sort_keys=True),
            "trials": trials,
            "code": code_hash("pipelines.tuning.tuner_step"),
        }
        inputs = {_EXAMPLES: examples, _TRANSFORM: transform_graph}
        super().__init__(TunerSpec(**inputs, best_hyperparameters=best, **arguments))


def best_line(folder: str) -> str:
    """Returns a line about the trial that a Tuner chose, and what it changed.

    Args:
        folder: Folder of the output of the Tuner.
    """
    with fileio.open(os.path.join(folder, RESULTS)) as file:
        best = json.loads(file.read())
    before = "" if best["metric_before"] is None else f" ({best['metric_before']:.4f} with the settings as they are)"
    values = ", ".join(f"{name} {change}" for name, change in best["changed"].items())
    metric = f"{best['objective']} {best['metric']:.4f} on the eval split{before}"
    return f"tuned: trial {best['trial']} of {best['trials']}, {metric}" + (f": {values}" if values else "")


class _Lines:
    """Prints a line for each trial.

    Args:
        plan: Plan of the search.
    """

    def __init__(self, plan: SearchPlan):
        self._plan = plan

    def start(self, number: int) -> None:
        """Called when a trial starts."""

    def line(self, text: str) -> None:
        """Called when the trial prints a line."""

    def end(self, trial: Trial) -> None:
        """Called when a trial has ended."""
        value = trial.error if trial.metric is None else f"{self._plan.objective} {trial.metric:.4f}"
        status = "" if trial.status == "finished" else f", {trial.status}"
        print(f"    trial {trial.number} of {self._plan.settings.tune.trials}: {value}{status}", flush=True)


def _result(plan: SearchPlan, trials: list[Trial]) -> dict[str, Any]:
    best = ranked(plan, trials)[0]
    model = {**to_plain(plan.settings.model), "options": best.options}
    return {
        "model": model,
        "training": best.training,
        "trial": best.number,
        "trials": len(trials),
        "objective": plan.objective,
        "metric": best.metric,
        "metric_before": trials[0].metric,
        "changed": changed_values(plan, best),
    }
