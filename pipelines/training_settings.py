"""Settings of the training of an experiment."""

import dataclasses
from typing import Literal

from tfmtl.config import require
from tfmtl.search_space import Choice, Dimension
from tfmtl.training import Distribution, OptimizerOptions, Stage

CacheSetting = Literal["auto", "none", "memory", "disk"]
LATEST = "latest"
"""Value of `training.warm_start` that starts from the last blessed model."""


@dataclasses.dataclass(frozen=True)
class FineTuning(Stage):
    """Second stage of training, with the fields of the first one (`tfmtl.training.Stage`).

    Attributes:
        optimizer: Options of the optimizer; null for those of the first stage. The learning rate is the stage's own.
        monitor: Name of the metric that early stopping watches; null for that of the first stage.
    """

    optimizer: OptimizerOptions | None = None  # type: ignore[assignment]
    monitor: str | None = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Stage):
    """Training of a model: the settings of its first stage (`tfmtl.training.Stage`) and those of the whole training.

    Attributes:
        batch_size: Number of rows per training step; null for a number by that of the training rows
            (`tfmtl.training.default_batch_size`).
        schedule: Schedule of the learning rate: `constant`, or `cosine`, a half cosine that reaches 0 after
            `max_epochs` epochs.
        precision: Data type of the computation: `float32`, or `mixed_bfloat16`, which computes matrix products in
            bfloat16, and losses, softmaxes and weight updates in float32. It is faster on processors with bfloat16
            instructions (AVX512-BF16, AMX, recent GPUs) and slower on others.
        seed: Seed of the initial weights, shuffling and dropout.
        shuffle_rows: Approximate number of consecutive rows from which a batch is drawn.
        cache: Storage of the transformed rows from the second epoch on, 4 bytes per value: `memory`, `disk` (a
            temporary folder), or `none`, which reads and transforms the files in every epoch. `auto`, the default, is
            `memory` if the training files have at most 256 MB, else `none`. The batches do not depend on it.
        deterministic: Makes operations deterministic: on one machine, trainings with equal settings and data end with
            the same weights to the last bit, also one that is killed and continues from a checkpoint. `input_wait` is
            not measured then.
        checkpoint_minutes: Minutes between checkpoints, from which a training that was killed continues; null for no
            checkpoints. Writing them takes at most 2 % of the time: where one takes long, the interval is longer.
        checkpoint_steps: Training steps between checkpoints, in place of minutes; null for minutes.
        warm_start: Initial weights: `latest` for those of the pipeline's last blessed model whose data ends before
            that of the run, if there is one; the path of a Trainer's `model_run` folder (with `model.keras` and
            `vocabularies/`) for those of its model; None for random ones.
        keep_days: With `warm_start: latest` on a log of spans: number of days (or spans) whose tokens the vocabularies
            keep, so that a token that is absent on some days keeps its embedding row. A token is in the vocabulary if
            it reaches its `min_frequency` in these days. The optimizer continues too. None for the vocabularies of the
            run's own log, and a new optimizer.
        distribution: Devices or machines among which the rows of each batch are divided
            (`tfmtl.training.Distribution`); one device by default.
        fine_tuning: Second stage, which trains attention and towers and freezes all layers below; None for no second
            stage.
    """

    batch_size: int | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 17
    shuffle_rows: int = 65536
    cache: CacheSetting = "auto"
    deterministic: bool = False
    checkpoint_minutes: float | None = 10.0
    checkpoint_steps: int | None = None
    warm_start: str | None = None
    keep_days: int | None = None
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    fine_tuning: FineTuning | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        is_valid = self.batch_size is None or self.batch_size >= 1
        require(is_valid, "batch_size", "at least 1, or null", self.batch_size)
        require(self.shuffle_rows >= 1, "shuffle_rows", "at least 1", self.shuffle_rows)
        minutes, steps = self.checkpoint_minutes, self.checkpoint_steps
        require(minutes is None or minutes >= 0, "checkpoint_minutes", "at least 0, or null", minutes)
        require(steps is None or steps >= 1, "checkpoint_steps", "at least 1, or null", steps)
        require(self.warm_start != "", "warm_start", "latest, a folder, or null", self.warm_start)
        days = self.keep_days
        require(days is None or days >= 1, "keep_days", "at least 1, or null", days)
        needs_start = "left out without `warm_start: latest`, as it keeps the rows of an earlier model"
        require(days is None or self.warm_start == LATEST, "keep_days", needs_start, days)

    @property
    def second_stage(self) -> Stage | None:
        """Options of the second stage, with optimizer and monitor of the first one unless it has its own."""
        stage = self.fine_tuning
        if stage is None:
            return None
        optimizer, monitor = stage.optimizer or self.optimizer, stage.monitor or self.monitor
        return dataclasses.replace(stage, optimizer=optimizer, monitor=monitor)

    def declared_space(self) -> dict[str, Dimension]:
        """Returns the hyper-parameters that a search varies by default: those of the stage and the batch size."""
        return {**super().declared_space(), "batch_size": Choice((128, 256, 512, 1024, 2048, 4096))}
