"""Gradient boosting: LightGBM, one booster a task and space."""

import dataclasses
import time
from typing import Any

import numpy as np

from pipelines.compare.data.prepared import Prepared
from pipelines.compare.fitters.base import Fitted
from pipelines.compare.fitters.columns import Table, table_of
from pipelines.compare.jobs import Job
from tfmtl import config
from tfmtl.config import require
from tfmtl.spec import ENTIRE, DatasetSpec, Output


def _library() -> Any:
    """LightGBM, loaded where it is used: without the system's OpenMP it cannot be, and all else of a comparison can.

    Raises:
        RuntimeError: saying what to install.
    """
    try:
        import lightgbm
    except OSError as error:
        raise RuntimeError(
            f"LightGBM should find OpenMP: install libgomp1 (Debian) or libgomp. Received: {error}"
        ) from error
    return lightgbm


@dataclasses.dataclass(frozen=True)
class LightGBMOptions:
    """Of each booster; the names are LightGBM's where it has them.

    Attributes:
        num_leaves: of a tree.
        learning_rate: factor of each tree.
        min_data_in_leaf: rows.
        feature_fraction: share of the columns that a tree sees.
        bagging_fraction: share of the rows that a tree sees.
        lambda_l2: of the leaves' values.
        cat_smooth: smoothing of the categories' statistics; rare ids need more.
        max_rounds: trees at most.
        patience: rounds without a better eval split before it stops; the best round's trees are kept.
        bag_tokens: at most so many tokens of a bag are columns.
    """

    num_leaves: int = 31
    learning_rate: float = 0.05
    min_data_in_leaf: int = 50
    feature_fraction: float = 0.8
    bagging_fraction: float = 0.8
    lambda_l2: float = 1.0
    cat_smooth: float = 50.0
    max_rounds: int = 2000
    patience: int = 50
    bag_tokens: int = 256

    def __post_init__(self):
        require(self.num_leaves >= 2, "num_leaves", "at least 2", self.num_leaves)
        for name in ("min_data_in_leaf", "max_rounds", "patience"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "feature_fraction", "bagging_fraction"):
            require(0 < getattr(self, name) <= 1, name, "above 0, at most 1", getattr(self, name))
        for name in ("lambda_l2", "cat_smooth", "bag_tokens"):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))

    def check_tasks(self, spec: DatasetSpec) -> None:
        """All specs are good."""

    def parameters(self, objective: str, seed: int) -> dict[str, Any]:
        """What LightGBM takes; the same seed gives the same trees."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("max_rounds", "patience", "bag_tokens"):
            del own[name]
        metric = "binary_logloss" if objective == "binary" else objective
        fixed = {"deterministic": True, "force_row_wise": True, "bagging_freq": 1, "verbosity": -1}
        return {**own, **fixed, "objective": objective, "metric": metric, "seed": seed}


@dataclasses.dataclass(frozen=True)
class LightGBM:
    """Boosters of binary tasks with the logistic objective; of counts with the Poisson one; stopped by their own loss.

    The AUC of an eval split may be highest after a few trees, whose probabilities are all near the mean.
    A task that follows another has two: one trained on all rows, and one on the rows whose previous label is 1.
    """

    network: bool = False
    tunable: bool = True
    seeded: bool = True

    def options_class_of(self, model: str) -> Any:
        """Of the boosters."""
        return LightGBMOptions

    def fit(self, job: Job, data: Prepared) -> Fitted:
        """See `Fitter`. Making the columns is not in its seconds."""
        options = config.build(LightGBMOptions, config.Document(dict(job.options)))
        tables = {split: table_of(data, split, options.bag_tokens) for split in ("train", "eval", "test")}
        scores: dict[str, dict[str, np.ndarray]] = {"eval": {}, "test": {}}
        parameters, training_seconds, scoring_seconds = 0, 0.0, 0.0
        for output in data.spec.outputs:
            start = time.perf_counter()
            booster = _boost(data.spec, output, tables, options, job.seed)
            training_seconds += time.perf_counter() - start
            parameters += numbers_in(booster)
            for split, of_output in scores.items():
                start = time.perf_counter()
                of_output[output.name] = np.asarray(booster.predict(tables[split].values), np.float32)
                scoring_seconds += time.perf_counter() - start if split == "test" else 0.0
            print(f"    {output.name}: {booster.best_iteration} trees")
        return Fitted(scores, parameters, training_seconds, scoring_seconds)


def numbers_in(booster: Any) -> int:
    """Numbers that the trees hold: a feature and a threshold for each inner node, a value for each leaf."""
    trees = booster.dump_model(num_iteration=booster.best_iteration)["tree_info"]
    return sum(2 * (tree["num_leaves"] - 1) + tree["num_leaves"] for tree in trees)


def _boost(spec: DatasetSpec, output: Output, tables: dict[str, Table], options: LightGBMOptions, seed: int) -> Any:
    objective = "binary" if spec.task(output.task).kind == "binary" else "poisson"
    train = _dataset(spec, output, tables["train"])
    validation = _dataset(spec, output, tables["eval"], train)
    lightgbm = _library()
    return lightgbm.train(
        options.parameters(objective, seed),
        train,
        num_boost_round=options.max_rounds,
        valid_sets=[validation],
        callbacks=[lightgbm.early_stopping(options.patience, verbose=False)],
    )


def _dataset(spec: DatasetSpec, output: Output, table: Table, reference: Any = None) -> Any:
    """The rows of the output's space."""
    rows = np.ones(len(table.values), bool)
    follows = spec.task(output.task).follows
    if output.space != ENTIRE and follows is not None:
        rows = table.labels[follows] == 1
    return _library().Dataset(
        table.values[rows],
        table.labels[output.task][rows],
        feature_name=table.names,
        categorical_feature=table.categorical,
        reference=reference,
        free_raw_data=True,
    )
