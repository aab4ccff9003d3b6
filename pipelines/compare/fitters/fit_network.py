"""Training and scoring of a model of `tfmtl` for a comparison."""

import dataclasses
import time
from typing import Any

import numpy as np

from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from pipelines.prepared.fit import train
from pipelines.prepared.prepared import Prepared
from pipelines.training.health import measure_health
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training_settings import TrainingSettings
from tfmtl import config

_SCORED_ROWS = 8192
_TIMED_BATCHES = 32


def fit_network(job: Job, data: Prepared) -> Fitted:
    """Fits a model and scores the splits of the job. Sets the seeds and TensorFlow's determinism of the whole process.

    Args:
        job: Model, options, training settings and seed.
        data: Prepared data.
    """
    training: TrainingSettings = config.build(TrainingSettings, config.Document({**job.training, "seed": job.seed}))
    training = with_max_epochs(training, job.max_epochs)
    with train(job.model, job.options, training, data) as trained:
        timed = job.trial is None
        scores = {split: _score(trained.model, trained.inputs, data, split, timed) for split in job.splits}
        health = () if job.trial is not None else measure_health(trained.model, trained.inputs, data.files("eval"))
    return Fitted(
        {split: split_scores for split, (split_scores, _) in scores.items()},
        trained.model.count_params(),
        trained.seconds,
        scores[job.splits[-1]][1],
        _join_stages(trained.history),
        health,
    )


def with_max_epochs(training: TrainingSettings, max_epochs: int | None) -> TrainingSettings:
    """Returns training settings whose stages have at most a number of epochs.

    Args:
        training: Training settings.
        max_epochs: Maximum number of epochs; None for that of the settings.
    """
    if max_epochs is None:
        return training
    stage = training.fine_tuning
    if stage is not None:
        stage = dataclasses.replace(stage, max_epochs=min(stage.max_epochs, max_epochs))
    return dataclasses.replace(training, max_epochs=min(training.max_epochs, max_epochs), fine_tuning=stage)


def _score(
    model: Any, inputs: InputPipeline, data: Prepared, split: str, timed: bool
) -> tuple[dict[str, np.ndarray], float]:
    """Returns the scores by output, and the seconds of scoring, 0 unless `timed`."""
    count = data.rows[split]
    rows = dataclasses.replace(inputs, batch_size=_SCORED_ROWS).first_rows(data.files(split), count)
    scores = {name: np.asarray(values, np.float32) for name, values in model.predict(rows, verbose=0).items()}
    return scores, _scoring_seconds(model, rows, count) if timed else 0.0


def _scoring_seconds(model: Any, rows: Any, count: int) -> float:
    """Returns the seconds of scoring with rows in memory and the graph traced.

    The first rows are scored again for that, and their seconds are multiplied by the share of all rows.
    """
    timed = rows.take(_TIMED_BATCHES).cache()
    model.predict(timed, verbose=0)
    start = time.perf_counter()
    model.predict(timed, verbose=0)
    return (time.perf_counter() - start) * max(1.0, count / (_TIMED_BATCHES * _SCORED_ROWS))


def _join_stages(history: dict[str, Any]) -> dict[str, list[float]]:
    """Joins the histories of all stages, for the metrics that every stage has."""
    if all(isinstance(values, list) for values in history.values()):
        return history
    stages = list(history.values())
    names = [name for name in stages[0] if all(name in stage for stage in stages)]
    return {name: [value for stage in stages for value in stage[name]] for name in names}
