"""Settings of an experiment: one YAML in `examples/` says everything of it."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.models import model_class
from tfmtl.spec import DatasetSpec
from tfmtl.training import Distribution, Stage
from transforms.ali_ccp.simulator_options import AliCcpOptions
from transforms.ingest.manifest import INGESTED
from transforms.panels.simulator_options import PanelOptions
from transforms.panels.window_options import WindowOptions
from transforms.readers.registry import AUTO, NAMES, OF_FOLDERS
from transforms.readers.spans import SpanPattern, has_spans
from transforms.simulation.options import SimulatorOptions

CacheSetting = Literal["auto", "none", "memory", "disk"]


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Where the raw log is and how it is read.

    Attributes:
        path: the folder of the log's files, or one file.
        reader: `csv`, `parquet`, `tfrecord` (tf.Examples), `movielens` for MovieLens-1M's official files, or `ingested`
            for what `tfmtl ingest` wrote. `auto` goes by each file's name: Parquet where it ends in .parquet, .parq or
            .pq, TFRecord where `tfrecord` is in it, else CSV.
        pattern: which files of the folder are read: `*.parquet`, `day=*/part-*.csv.gz`, `**/*.tfrecord`. With
            placeholders (`{YYYY}-{MM}-{DD}/*.csv`, `day-{SPAN}/*`; see `transforms.readers.spans`) each day, or other
            span of time, is read once: a later run reads the new ones and takes the others from the cache.
        spans: how many of the newest spans a run takes; all by default.
    """

    path: str = ""
    reader: str = AUTO
    pattern: str = "*"
    spans: int | None = None

    def __post_init__(self):
        known = (*NAMES, INGESTED)
        require(self.reader in known, "reader", f"one of {', '.join(known)}", self.reader)
        if has_spans(self.pattern):
            require(self.reader not in (*OF_FOLDERS, INGESTED), "pattern", f"plain for {self.reader}", self.pattern)
            require(self.spans is None or self.spans >= 1, "spans", "at least 1", self.spans)
            try:
                SpanPattern(self.pattern)
            except ValueError as error:
                raise FieldError("pattern", str(error)) from error
        else:
            expected = "left out where the pattern has no {SPAN} or date"
            require(self.spans is None, "spans", expected, self.spans)


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """Which model is trained.

    Attributes:
        name: as `tfmtl models` lists them.
        options: fields of the model's options.
    """

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        try:
            model_class(self.name)
        except ValueError as error:
            raise FieldError("name", str(error).removeprefix("model ")) from error


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Stage):
    """How a model is trained: what every stage of training has (`tfmtl.training.Stage`), and what concerns them all.

    Attributes:
        batch_size: rows a step.
        schedule: `constant`, or `cosine`: the learning rate falls to 0 over `max_epochs` as half a cosine.
        precision: `mixed_bfloat16` computes products in bfloat16, losses, softmaxes and updates in float32 as ever:
            faster where the processor has instructions for it (AVX512-BF16, AMX, a recent GPU), slower where not.
        seed: of initial weights, shuffling and dropout.
        shuffle_rows: from how many rows on end a batch is drawn, about.
        cache: where transformed rows are kept from the second epoch on: in `memory` or on `disk` (a temporary folder),
            4 bytes a value; `none` reads and transforms them each epoch. `auto` is `memory` where the training files
            have 256 MB at most, else `none`. The batches are the same.
        warm_start: `latest` starts from the weights of the pipeline's last blessed model, if there is one; a path from
            those of the model in that folder (a Trainer's `model_run`: `model.keras` and `vocabularies/`); null fresh.
        distribution: on how many devices or machines, each with its share of a batch's rows
            (`tfmtl.training.Distribution`).
        fine_tuning: a second stage, of attention and towers with everything below them frozen; none by default.
    """

    batch_size: int = 1024
    schedule: Literal["constant", "cosine"] = "constant"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 17
    shuffle_rows: int = 65536
    cache: CacheSetting = "auto"
    warm_start: str | None = None
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    fine_tuning: Stage | None = None

    def __post_init__(self):
        super().__post_init__()
        for name in ("batch_size", "shuffle_rows"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(self.warm_start != "", "warm_start", "latest, a folder, or null", self.warm_start)


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What an output must reach on the test split for its model to be blessed.

    Attributes:
        min_auc: lowest AUC of a binary task that is good enough.
        calibration: lowest and highest ratio of the mean prediction to the mean label.
        max_auc_drop: how far the AUC may fall below the last blessed model's.
        max_nmae: highest normalized mean absolute error of a count that is good enough.
        max_nmae_rise: how far that may rise above the last blessed model's.
    """

    min_auc: float = 0.5
    calibration: tuple[float, ...] = (0.5, 2.0)
    max_auc_drop: float = 0.01
    max_nmae: float = 1.0
    max_nmae_rise: float = 0.02

    def __post_init__(self):
        require(0 <= self.min_auc <= 1, "min_auc", "in [0, 1]", self.min_auc)
        ordered = len(self.calibration) == 2 and 0 < self.calibration[0] < self.calibration[1]
        require(ordered, "calibration", "two numbers, the lower first", list(self.calibration))
        for name in ("max_auc_drop", "max_nmae", "max_nmae_rise"):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))


@dataclasses.dataclass(frozen=True)
class Settings:
    """One experiment.

    Attributes:
        name: of the pipeline and of the served model.
        spec: of the data set.
        model: which model.
        data: the raw log.
        training: how the model is trained.
        thresholds: what each output must reach, by output name; outputs that are not named are reported only.
        simulator: how `tfmtl simulate` makes a log for this spec; its `kind` is impressions, panels, or ali_ccp.
        windows: how `tfmtl ingest panels` makes a log for this spec from daily rows.
        reference: whether a run also fits one-hot logistic regression on the same rows and prints it beside the model.
        beam_pipeline_args: given to Beam as they are: runner and workers, for Flink, Spark or Dataflow (docs/beam.md).
            Without any, Beam's jobs run in this process.
        log_level: of the components: how much they say while they run.
    """

    name: str
    spec: DatasetSpec
    model: ModelSettings
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    thresholds: Mapping[str, Thresholds] = dataclasses.field(default_factory=dict)
    simulator: SimulatorOptions | PanelOptions | AliCcpOptions | None = None
    windows: WindowOptions | None = None
    reference: bool = False
    beam_pipeline_args: tuple[str, ...] = ()
    log_level: Literal["info", "warning", "error"] = "error"

    def __post_init__(self):
        outputs = [output.name for output in self.spec.outputs]
        for output in self.thresholds:
            require(output in outputs, ("thresholds", output), f"an output of the spec: {', '.join(outputs)}", output)
        binary = [output.name for output in self.spec.outputs if self.spec.task(output.task).kind == "binary"]
        known = ["loss", *(f"{t.name}_loss" for t in self.spec.tasks), *(f"{name}_auc" for name in binary)]
        given = self.spec.split.kind == "given"
        expected = f"given where the log is {INGESTED}, and only there"
        require(given == (self.data.reader == INGESTED), ("spec", "split", "kind"), expected, self.spec.split.kind)
        monitors: dict[tuple[str, ...], str] = {("training", "monitor"): self.training.monitor}
        if self.training.fine_tuning is not None:
            monitors["training", "fine_tuning", "monitor"] = self.training.fine_tuning.monitor
        for path, monitor in monitors.items():
            require(monitor in known, path, f"one of {', '.join(known)}", monitor)


def load_settings(path: str | pathlib.Path, *, data: str | None = None) -> Settings:
    """The settings in a YAML file; `data` replaces the log's path.

    A file may name another one as its `base`, by a path from its own folder: it then has the other's sections where it
    has none of its own.

    Raises:
        ConfigError: naming line and field, if anything is unknown, missing or wrong, the model's options included.
    """
    document = _with_base(config.read_yaml(path))
    settings: Settings = config.build(Settings, document)
    options_class = model_class(settings.model.name).options_class
    given = "options" in document.data["model"]
    options = config.build(options_class, document, ("model", "options")) if given else options_class()
    try:
        options.check_tasks(settings.spec)
    except FieldError as error:
        raise document.error(("model", "options", *error.path), error.message) from error
    if data is not None:
        settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(data)))
    return settings


def _with_base(document: config.Document) -> config.Document:
    base = document.data.get("base") if isinstance(document.data, dict) else None
    if base is None:
        return document
    if not isinstance(base, str):
        raise document.error(("base",), f"should be the path of another settings file. Received: {base!r}")
    below = _with_base(config.read_yaml(pathlib.Path(document.source).parent / base))
    return config.overlay(document.without("base"), below)
