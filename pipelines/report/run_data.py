"""Record of a run, and the outputs of its components that its report shows."""

import dataclasses
import glob
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from tfx.utils import path_utils

from pipelines.components.example_gen import ingest_report
from pipelines.components.example_validator import STATISTICS, read_findings, read_statistics
from pipelines.components.resolvers import ACCEPTED_LOG
from pipelines.data_checks.anomalies import Findings
from pipelines.evaluation.logistic_regression import kept_reference
from pipelines.evaluation.records import read_gates, read_measured
from pipelines.evaluation.score_histograms import Scores, read_scores
from pipelines.gates.gate import Gate
from pipelines.gates.measured import Measured
from pipelines.runners.history.runs import PastRun, read_runs
from pipelines.runners.lineage import Run, read_run
from pipelines.runners.metadata_store import DATABASE, open_store, run_contexts
from pipelines.settings import Settings
from pipelines.training.health import read_health, read_profile
from pipelines.training.summary import read_summary
from pipelines.training.training_only_effects import Effect, read_effects
from tfmtl.config import ConfigError, Document, build
from tfmtl.health import Health, Profile
from transforms.batches.report import IngestReport

HISTORY = "history.json"
_Value = TypeVar("_Value")


@dataclasses.dataclass(frozen=True)
class RunData:
    """Record and outputs of a run. Those that the run did not reach, or `tfmtl clean` removed, are empty or None.

    Attributes:
        folder: Run folder.
        past: Number, times and record of the run.
        settings: Settings of the run.
        run: Components and their outputs.
        rows: Numbers of the rows of the log.
        findings: Findings of the data checks.
        statistics: Statistics of the log, a `DatasetFeatureStatisticsList`.
        accepted: Statistics of the accepted log with which this one was compared.
        measured: Metrics of each output on all test rows and in each scenario.
        gates: Results of the gates.
        scores: Histograms of the scores by output and model.
        history: Metrics of each epoch by name; by stage if there were two.
        training: Summary of the training.
        health: Health of the model's mechanisms.
        profiles: What the model's mechanisms compute on average.
        effects: Effects of the features that are known in training only.
        reference: AUC of logistic regression by output; of a value, Gini coefficient of the Tweedie regression.
        model: Folder of the exported model; None if there is none.
        test_files: TFRecord files of the test split.
    """

    folder: pathlib.Path
    past: PastRun
    settings: Settings
    run: Run
    rows: IngestReport | None = None
    findings: Findings | None = None
    statistics: Any = None
    accepted: Any = None
    measured: Sequence[Measured] = ()
    gates: Sequence[Gate] = ()
    scores: Scores = dataclasses.field(default_factory=dict)
    history: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    health: Sequence[Health] = ()
    profiles: Sequence[Profile] = ()
    effects: Sequence[Effect] = ()
    reference: Mapping[str, float] = dataclasses.field(default_factory=dict)
    model: str | None = None
    test_files: Sequence[str] = ()


def read_run_data(folder: pathlib.Path, past: PastRun | None = None) -> RunData:
    """Reads the record and the outputs of a run.

    Args:
        folder: Run folder.
        past: Run of the folder; the newest one by default.

    Raises:
        ConfigError: If the folder has no run, or an earlier version of the package made the run without a record of its
            settings.
    """
    if past is None:
        runs = read_runs(folder)
        if not runs:
            raise ConfigError(f"{folder} should have a run. Received: none")
        past = runs[-1]
    if not past.record.settings:
        expected = f"Run {past.number} of {folder} should have a record of its settings"
        raise ConfigError(f"{expected}. Received: none, as an earlier version of tfmtl made it")
    store = open_store(folder / DATABASE)
    run = read_run(store, run_contexts(store)[past.number - 1])
    settings = build(Settings, Document(dict(past.record.settings)))
    examples, model_run = _uri(run, "LogExampleGen", "examples"), _uri(run, "Trainer", "model_run")
    evaluation = _uri(run, "Evaluator", "evaluation")
    model = _uri(run, "Trainer", "model")
    return RunData(
        folder,
        past,
        settings,
        run,
        rows=_read(ingest_report, examples, None),
        findings=_read(read_findings, _uri(run, "ExampleValidator", "anomalies"), None),
        statistics=_read(read_statistics, _uri(run, "StatisticsGen", "statistics"), None),
        accepted=_read(read_statistics, _uri(run, ACCEPTED_LOG, STATISTICS), None),
        measured=_read(read_measured, evaluation, ()),
        gates=_read(read_gates, evaluation, ()),
        scores=_read(read_scores, evaluation, {}),
        history=_read(_read_history, model_run, {}),
        training=_read(read_summary, model_run, {}),
        health=_read(read_health, model_run, ()),
        profiles=_read(read_profile, model_run, ()),
        effects=_read(read_effects, model_run, ()),
        reference=(kept_reference(settings.spec, examples, folder) if examples else None) or {},
        model=path_utils.serving_model_path(model) if model and os.path.isdir(model) else None,
        test_files=sorted(glob.glob(f"{examples}/Split-test/*")) if examples else (),
    )


def _uri(run: Run, step: str, key: str) -> str | None:
    artifacts = run.steps[step].outputs.get(key, []) if step in run.steps else []
    return str(artifacts[0].uri) if artifacts else None


def _read(reader: Callable[[str], _Value], folder: str | None, missing: _Value) -> _Value:
    """Reads the files of a component; returns `missing` if it did not run or its files were removed."""
    if folder is None or not os.path.isdir(folder):
        return missing
    try:
        return reader(folder)
    except (FileNotFoundError, ValueError):
        return missing


def _read_history(folder: str) -> Mapping[str, Any]:
    history: dict[str, Any] = json.loads(pathlib.Path(folder, HISTORY).read_text(encoding="utf-8"))
    return history
