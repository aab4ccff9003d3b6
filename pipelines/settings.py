"""Settings of an experiment, which one YAML file describes in full."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from pipelines.data_checks.options import DataChecks
from pipelines.exported_names import check_names
from pipelines.gates.thresholds import ExportThresholds, Thresholds
from pipelines.kubeflow_settings import KubeflowSettings
from pipelines.search.space import check_names as check_space_names
from pipelines.training_settings import TrainingSettings
from tfmtl.config import FieldError, require
from tfmtl.models import MODELS
from tfmtl.models.options.info import DEFAULT
from tfmtl.search_space import Dimension
from tfmtl.spec import DatasetSpec
from transforms.ali_ccp.simulator_options import AliCcpOptions
from transforms.batches.columns import raw_columns
from transforms.join.options import JoinOptions
from transforms.panels.simulator_options import PanelOptions
from transforms.panels.window_options import WindowOptions
from transforms.readers.log_format import FOLDER_READERS, INGESTED, LogFormat
from transforms.readers.spans import SpanPattern, has_spans
from transforms.simulation.options import SimulatorOptions

KERAS_MODEL = "model.keras"
"""Name of the Keras model in a `model_run` folder."""
_MONITORS = {"binary": "auc", "value": "gini"}
"""Suffix of the metric of an output that early stopping can watch, by the kind of its task."""


@dataclasses.dataclass(frozen=True)
class DataSettings(LogFormat):
    """Location of the raw log, and the format of its files (`transforms.readers.log_format.LogFormat`).

    Attributes:
        path: Folder of the log's files, or one file.
        pattern: Glob pattern of the files to read, relative to `path`: `*.parquet`, `day=*/part-*.csv.gz`,
            `**/*.tfrecord`. Placeholders (`{YYYY}-{MM}-{DD}/*.csv`, `day-{SPAN}/*`; see `transforms.readers.spans`)
            divide the log into spans of time. Each span is read once; later runs take it from the cache.
        spans: Number of the most recent spans that a run uses; all of them if None.
    """

    path: str = ""
    pattern: str = "*"
    spans: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if has_spans(self.pattern):
            expected = f"without placeholders for {self.reader}"
            require(self.reader not in (*FOLDER_READERS, INGESTED), "pattern", expected, self.pattern)
            require(self.spans is None or self.spans >= 1, "spans", "at least 1", self.spans)
            try:
                SpanPattern(self.pattern)
            except ValueError as error:
                raise FieldError("pattern", str(error)) from error
        else:
            expected = "left out if the pattern has no {SPAN} or date"
            require(self.spans is None, "spans", expected, self.spans)


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """Model to train.

    Attributes:
        name: Name of the model, as listed by `tfmtl models`.
        preset: Preset with whose options the model starts: `default`, whose options were chosen by measurement on logs
            of different kinds, or an experiment of the model's paper; null for the defaults of the options' class. A
            preset of a paper has no option that the paper does not have, such as `wide`.
        options: Options of the model, as plain data, in place of those of the preset. `load_settings` adds the others.
    """

    name: str
    preset: str | None = DEFAULT
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            info = MODELS.info(self.name)
        except ValueError as error:
            raise FieldError("name", str(error).removeprefix("`model` ")) from error
        try:
            info.options(self.preset, {})
        except ValueError as error:
            raise FieldError("preset", str(error).removeprefix("`name` ")) from error


@dataclasses.dataclass(frozen=True)
class TuneSettings:
    """Search of hyper-parameters by `tfmtl tune`, or by a step of the pipeline.

    Attributes:
        trials: Number of trials of the step `Tuner`, whose best hyper-parameters the Trainer uses; 0 for no such step.
            `tfmtl tune` has the option --trials.
        method: Search method of the step.
        seed: Seed of the step's search.
        space: Hyper-parameters to search, by the name `options.<field>` or `training.<field>`; if empty, those that
            the model, the optimizer and the training declare.
    """

    trials: int = 0
    method: Literal["bayesian", "random"] = "bayesian"
    seed: int = 0
    space: Mapping[str, Dimension] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_space_names(self.space, "search")
        require(self.trials >= 0, "trials", "at least 0", self.trials)
        require(self.seed >= 0, "seed", "at least 0", self.seed)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of one experiment.

    Attributes:
        name: Name of the pipeline and of the served model.
        spec: Features, tasks and split of the dataset.
        model: Model to train, with its options.
        data: Location and format of the raw log.
        training: Optimizer, epochs, batches and the other settings of the training.
        tune: Search of hyper-parameters: the space of `tfmtl tune`, and the step of the pipeline.
        thresholds: Requirements on the test metrics, by output name. An output without an entry has the default ones of
            `Thresholds`, and is not judged if it has too few test rows for them; null turns its gates off.
        export: Requirements on the exported SavedModel.
        data_checks: Bounds of the checks that a log has to pass before a model is trained on it.
        simulator: Options of `tfmtl simulate` for this spec; its `kind` is `impressions`, `panels` or `ali_ccp`. None
            if there is no simulator.
        windows: Options of `tfmtl ingest panels`, which makes a log for this spec from daily rows. None if the log is
            not made of daily rows.
        join: Options of `tfmtl join`, which makes a log for this spec from logs of impressions, clicks and conversions.
            None if the log is not joined.
        kubeflow: Resources, volumes, secrets and paths of the pipeline on Kubeflow.
        reference: Also fits one-hot logistic regression on the same rows, or on a sample of 500,000 of them, and prints
            its AUC next to the model's.
        report: Writes the report of a run as HTML at its end.
        workers: Number of workers that read the log on this machine. `auto`, the default, takes one for each 16 MB of
            the log's files, at most one for each core. Up to 8 are threads; more are processes, which also evaluate.
        beam_pipeline_args: Command-line arguments for Beam, such as its runner and workers on Flink, Spark or
            Dataflow (see docs/beam.md). If they name a runner or a number of workers, `workers` is not used.
        log_level: Lowest level of the messages that components log: `info`, `warning` or `error`.
    """

    name: str
    spec: DatasetSpec
    model: ModelSettings
    data: DataSettings = DataSettings()
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    tune: TuneSettings = TuneSettings()
    thresholds: Mapping[str, Thresholds | None] = dataclasses.field(default_factory=dict)
    export: ExportThresholds = dataclasses.field(default_factory=ExportThresholds)
    data_checks: DataChecks = dataclasses.field(default_factory=DataChecks)
    simulator: SimulatorOptions | PanelOptions | AliCcpOptions | None = None
    windows: WindowOptions | None = None
    join: JoinOptions | None = None
    kubeflow: KubeflowSettings = dataclasses.field(default_factory=KubeflowSettings)
    reference: bool = True
    report: bool = True
    workers: int | Literal["auto"] = "auto"
    beam_pipeline_args: tuple[str, ...] = ()
    log_level: Literal["info", "warning", "error"] = "error"

    def __post_init__(self) -> None:
        try:
            check_names(self.spec)
        except FieldError as error:
            raise FieldError(("spec", *error.path), error.message) from error
        require(self.workers == "auto" or self.workers > 0, "workers", "auto, or an integer >= 1", self.workers)
        outputs = [output.name for output in self.spec.outputs]
        for output in self.thresholds:
            require(output in outputs, ("thresholds", output), f"an output of the spec: {', '.join(outputs)}", output)
            self._check_slices(output)
        known = ["loss", *(f"{task.name}_loss" for task in self.spec.tasks)]
        suffixes = {output.name: _MONITORS.get(self.spec.task(output.task).kind) for output in self.spec.outputs}
        known += [f"{name}_{suffix}" for name, suffix in suffixes.items() if suffix]
        given = self.spec.split.kind == "given"
        expected = f"`given` if data.reader is {INGESTED}, and only then"
        require(given == (self.data.reader == INGESTED), ("spec", "split", "kind"), expected, self.spec.split.kind)
        self._check_keep_days()
        columns = raw_columns(self.spec)
        for name in self.data.columns:
            require(name in columns, ("data", "columns", name), f"a column of the spec: {', '.join(columns)}", name)
        for i, name in enumerate(self.data_checks.ignore):
            require(name in columns, ("data_checks", "ignore", i), f"a column of the spec: {', '.join(columns)}", name)
        monitors: dict[tuple[str, ...], str] = {("training", "monitor"): self.training.monitor}
        if self.training.second_stage is not None:
            monitors["training", "fine_tuning", "monitor"] = self.training.second_stage.monitor
        for path, monitor in monitors.items():
            require(monitor in known, path, f"one of {', '.join(known)}", monitor)

    def _check_keep_days(self) -> None:
        """Checks that the log has the days whose tokens are kept."""
        days, spans = self.training.keep_days, self.data.spans
        if days is not None:
            expected = "left out unless data.pattern has {SPAN} or a date, and data.spans is given"
            require(spans is not None, ("training", "keep_days"), expected, days)
            require(days >= (spans or 0), ("training", "keep_days"), f"at least data.spans, {spans}", days)

    def _check_slices(self, output: str) -> None:
        """Checks that the slices of an output's thresholds are those of the scenario."""
        thresholds = self.thresholds[output]
        for name in thresholds.slices if thresholds else ():
            expected = (
                f"the scenario of the spec: {self.spec.scenario}"
                if self.spec.scenario
                else "left out without a scenario"
            )
            require(name == self.spec.scenario, ("thresholds", output, "slices", name), expected, name)
