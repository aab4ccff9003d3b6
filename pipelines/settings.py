"""Settings of an experiment: one YAML in `examples/` says everything of it."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.models import model_class
from tfmtl.spec import DatasetSpec
from transforms.ingest import READERS
from transforms.simulator_options import SimulatorOptions


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Where the raw log is and how it is read.

    Attributes:
        path: the folder of the log's files, or one file.
        reader: `csv`, or `movielens` for MovieLens-1M's official files.
        pattern: which files of the folder are read.
    """

    path: str = ""
    reader: str = "csv"
    pattern: str = "*"

    def __post_init__(self):
        require(self.reader in READERS, "reader", f"one of {', '.join(READERS)}", self.reader)


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
class TrainingSettings:
    """How a model is trained.

    Attributes:
        batch_size: rows a step.
        max_epochs: passes over the training split at most.
        learning_rate: of Adam; embedding rows that a batch does not touch are left alone (`RowSparseAdam`).
        monitor: the validation metric that early stopping watches, `<output>_auc` or a loss; the loss by default.
        patience: epochs without improvement before training stops; the best epoch's weights are kept.
        seed: of initial weights, shuffling and dropout.
        shuffle_rows: size of the shuffle buffer in rows.
    """

    batch_size: int = 1024
    max_epochs: int = 10
    learning_rate: float = 1e-3
    monitor: str = "loss"
    patience: int = 1
    seed: int = 17
    shuffle_rows: int = 65536

    def __post_init__(self):
        for name in ("batch_size", "max_epochs", "patience", "shuffle_rows"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What an output must reach on the test split for its model to be blessed.

    Attributes:
        min_auc: lowest AUC that is good enough.
        calibration: lowest and highest ratio of the mean prediction to the mean label.
        max_auc_drop: how far the AUC may fall below the last blessed model's.
    """

    min_auc: float = 0.5
    calibration: tuple[float, ...] = (0.5, 2.0)
    max_auc_drop: float = 0.01

    def __post_init__(self):
        require(0 <= self.min_auc <= 1, "min_auc", "in [0, 1]", self.min_auc)
        ordered = len(self.calibration) == 2 and 0 < self.calibration[0] < self.calibration[1]
        require(ordered, "calibration", "two numbers, the lower first", list(self.calibration))
        require(self.max_auc_drop >= 0, "max_auc_drop", "at least 0", self.max_auc_drop)


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
        simulator: how `tfmtl simulate` makes a log for this spec.
        beam_pipeline_args: given to Beam as they are.
        log_level: of the components: how much they say while they run.
    """

    name: str
    spec: DatasetSpec
    model: ModelSettings
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    thresholds: Mapping[str, Thresholds] = dataclasses.field(default_factory=dict)
    simulator: SimulatorOptions | None = None
    beam_pipeline_args: tuple[str, ...] = ("--direct_running_mode=in_memory", "--direct_num_workers=1")
    log_level: Literal["info", "warning", "error"] = "error"

    def __post_init__(self):
        outputs = [output.name for output in self.spec.outputs]
        for output in self.thresholds:
            require(output in outputs, ("thresholds", output), f"an output of the spec: {', '.join(outputs)}", output)
        known = ["loss", *(f"{t.name}_loss" for t in self.spec.tasks), *(f"{name}_auc" for name in outputs)]
        monitor = self.training.monitor
        require(monitor in known, ("training", "monitor"), f"one of {', '.join(known)}", monitor)


def load_settings(path: str | pathlib.Path, *, data: str | None = None) -> Settings:
    """The settings in a YAML file; `data` replaces the log's path.

    Raises:
        ConfigError: naming line and field, if anything is unknown, missing or wrong, the model's options included.
    """
    document = config.read_yaml(path)
    settings: Settings = config.build(Settings, document)
    options_class = model_class(settings.model.name).options_class
    if settings.model.options:
        options = config.build(options_class, document, ("model", "options"))
        for task in options.task_weights:
            if task not in [known.name for known in settings.spec.tasks]:
                raise document.error(("model", "options", "task_weights", task), "should be a task of the spec")
    if data is not None:
        settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(data)))
    return settings
