"""Synthetic data and runs without training: two tasks in a chain, groups, and noisy scores."""

import numpy as np

from pipelines.compare.jobs import Job
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.plan.settings import CompareSettings, ModelEntry
from pipelines.compare.runs.result import Result
from pipelines.prepared.columns import Columns
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    name="ads",
    features=(CategoricalFeature("user"),),
    tasks=(
        Task("click", "click", output="ctr"),
        Task("sale", "sale", follows="click", output="ctcvr", conditional_output="cvr"),
    ),
    group_key="user",
)
ROWS = 400


def columns(seed: int = 0) -> Columns:
    """Labels with clicks in a third of the rows and sales in a third of the clicks, in groups of about ten rows."""
    rng = np.random.default_rng(seed)
    click = (rng.random(ROWS) < 0.33).astype(np.float32)
    sale = click * (rng.random(ROWS) < 0.33)
    return Columns({"click": click, "sale": sale.astype(np.float32)}, rng.integers(0, 40, ROWS))


def noisy(data: Columns, noise: float, seed: int) -> dict[str, np.ndarray]:
    """Scores in (0, 1): the labels with Gaussian noise."""
    rng = np.random.default_rng(seed)
    click, sale = data.labels["click"], data.labels["sale"]

    def squash(label):
        return (1 / (1 + np.exp(-(2 * label - 1 + noise * rng.normal(size=ROWS))))).astype(np.float32)

    return {"ctr": squash(click), "cvr": squash(sale), "ctcvr": squash(sale)}


def result(row: str, seed: int, scores: dict, data: Columns, code: str = "c", truth=None, **changes) -> Result:
    """Finished run whose test scores are given; the eval scores are the same."""
    metrics = evaluate(SPEC, data, scores, truth)
    plain = {
        "job": job(row, seed),
        "code": code,
        "metrics": {"eval": metrics, "test": metrics},
        "parameters": 100,
        "training_seconds": 10.0 + seed,
        "scoring_seconds": 0.004,
        "epochs": 2,
        "history": {"val_ctr_auc": [0.6, 0.7]},
        "seconds": 12.0,
        "rows": ROWS,
    }
    return Result(**{**plain, **changes})


def job(row: str, seed: int, trial: int | None = None, **options) -> Job:
    """Job of a row of the table."""
    return Job(row, "mmoe", options or {"name": row}, {"max_epochs": 2}, seed, trial)


def settings(models=("base", "rival", "ours"), **changes) -> CompareSettings:
    """Settings of a comparison in which all rows are MMoE."""
    plain = {
        "name": "synthetic",
        "base": "base.yaml",
        "models": {name: ModelEntry("mmoe") for name in models},
        "seeds": (1, 2, 3),
        "reference": models[0],
        "baselines": models[:-1],
    }
    return CompareSettings(**{**plain, **changes})
