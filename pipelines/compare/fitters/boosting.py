"""Gradient boosting with LightGBM: one booster for each output."""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from pipelines.judged_rows import is_judged
from tfmtl import config
from tfmtl.config import require
from tfmtl.search_space import Choice, Dimension, Range, Space
from tfmtl.spec import DatasetSpec, Output

if TYPE_CHECKING:
    from pipelines.compare.fitters.columns import Table
    from pipelines.prepared.prepared import Prepared

_BLOCK_ROWS = 16384
_OBJECTIVES = {"binary": "binary", "count": "poisson", "value": "tweedie"}
"""Objective of LightGBM by the kind of the task."""
_VALIDATION = "validation"  # Table of the eval split by which training stops.
_MAX_STEP = 0.7
"""Largest output of a leaf, times the learning rate, where rows have exposures: the second derivative of a row with a
small exposure and a large count is close to 0, so that a step without a bound overflows."""


def _library() -> Any:
    """Imports LightGBM when it is used: it needs the system's OpenMP, which other models do not.

    Raises:
        RuntimeError: If OpenMP is missing; the message names the package to install.
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
    """Options of each booster, named as in LightGBM where it has them.

    Attributes:
        num_leaves: Maximum number of leaves of a tree.
        learning_rate: Factor of each tree.
        min_data_in_leaf: Minimum number of rows in a leaf.
        feature_fraction: Share of the columns that each tree uses.
        bagging_fraction: Share of the rows that each tree uses.
        lambda_l2: L2 regularization of the leaves' values.
        cat_smooth: Smoothing of the categories' statistics; rare ids need more.
        max_rounds: Maximum number of trees.
        patience: Number of rounds without improvement on the eval split after which training stops; the trees of the
            best round are kept.
        multivalent_tokens: Maximum number of tokens of a multivalent field that become columns.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"bag_tokens": "multivalent_tokens"}

    search_space: ClassVar[Space] = {
        "num_leaves": Choice((15, 31, 63, 127)),
        "learning_rate": Range(0.02, 0.2, log=True, digits=2),
        "min_data_in_leaf": Range(10, 500, log=True, whole=True),
        "feature_fraction": Range(0.4, 1.0, digits=2),
        "bagging_fraction": Range(0.5, 1.0, digits=2),
        "lambda_l2": Range(0.01, 100.0, log=True, digits=2),
        "cat_smooth": Range(1.0, 500.0, log=True, digits=2),
    }

    num_leaves: int = 31
    learning_rate: float = 0.05
    min_data_in_leaf: int = 50
    feature_fraction: float = 0.8
    bagging_fraction: float = 0.8
    lambda_l2: float = 1.0
    cat_smooth: float = 50.0
    max_rounds: int = 2000
    patience: int = 50
    multivalent_tokens: int = 256

    def __post_init__(self) -> None:
        require(self.num_leaves >= 2, "num_leaves", "at least 2", self.num_leaves)
        for name in ("min_data_in_leaf", "max_rounds", "patience"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "feature_fraction", "bagging_fraction"):
            require(0 < getattr(self, name) <= 1, name, "above 0, at most 1", getattr(self, name))
        for name in ("lambda_l2", "cat_smooth", "multivalent_tokens"):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Accepts every spec.

        Args:
            spec: Spec of the dataset.
        """

    def declared_space(self) -> dict[str, Dimension]:
        """Returns the hyper-parameters that a search varies by default, by the names of the options."""
        return dict(self.search_space)

    def parameters(self, objective: str, seed: int, power: float | None = None) -> dict[str, Any]:
        """Returns the parameters of LightGBM; the same seed gives the same trees.

        Args:
            objective: Objective of LightGBM: `binary`, `poisson` or `tweedie`.
            seed: Seed of LightGBM.
            power: Power of the variance of a Tweedie distribution.
        """
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("max_rounds", "patience", "multivalent_tokens"):
            del options[name]
        metric = "binary_logloss" if objective == "binary" else objective
        fixed: dict[str, Any] = {"deterministic": True, "force_row_wise": True, "bagging_freq": 1, "verbosity": -1}
        if power is not None:
            fixed["tweedie_variance_power"] = power
        return {**options, **fixed, "objective": objective, "metric": metric, "seed": seed}


@dataclasses.dataclass(frozen=True)
class LightGBM:
    """Fits a booster for each output: the logistic objective for binary tasks, Poisson for counts, Tweedie for values.

    Training stops by the booster's own loss, as the AUC of an eval split may be highest after a few trees, whose
    probabilities are all close to the mean. A task that follows another has two boosters: one trained on all rows, and
    one trained on the rows where the previous label is 1. The logarithm of the exposure of a count or value with an
    offset is added to the trees' prediction of the logarithm of the mean. The labels of other values are divided by
    their mean, so that regularization does not depend on their unit.

    The columns are in temporary files, 4 bytes a value, and LightGBM keeps its own form of them in memory, about a byte
    for each column of a row.
    """

    network: bool = False
    tunable: bool = True
    seeded: bool = True

    def options_class_of(self, model: str) -> Any:
        """Returns `LightGBMOptions`.

        Args:
            model: Name of the model.
        """
        return LightGBMOptions

    def fit(self, job: Job, data: "Prepared") -> Fitted:
        """Fits the boosters and scores; the seconds do not include the making of the columns.

        Args:
            job: Options and seed.
            data: Prepared data.
        """
        from pipelines.compare.fitters.columns import make_table  # Imported here: it needs TensorFlow.

        options = config.build(LightGBMOptions, config.Document(dict(job.options)))
        with tempfile.TemporaryDirectory(prefix="tfmtl_columns_") as name:
            folder, splits = pathlib.Path(name), ("train", *job.splits)
            tables = {split: make_table(data, split, options.multivalent_tokens, folder) for split in splits}
            tables[_VALIDATION] = tables["eval"]
            if data.spec.training_only_features:  # Labels came about with the values of the log.
                tables[_VALIDATION] = make_table(data, "eval", options.multivalent_tokens, folder, is_served=False)
            return _fit(job, data.spec, options, _with_mean_rates(tables), folder)


def _fit(
    job: Job, spec: DatasetSpec, options: LightGBMOptions, tables: "dict[str, Table]", folder: pathlib.Path
) -> Fitted:
    scores: dict[str, dict[str, np.ndarray]] = {split: {} for split in job.splits}
    parameters, training_seconds, scoring_seconds = 0, 0.0, 0.0
    for output in spec.outputs:
        start = time.perf_counter()
        unit = _unit(spec, output, tables["train"])
        booster = _train(spec, output, tables, options, job.seed, folder, unit)
        training_seconds += time.perf_counter() - start
        parameters += count_parameters(booster)
        for split, split_scores in scores.items():
            start = time.perf_counter()
            split_scores[output.name] = unit * _predict(booster, tables[split], output.task)
            scoring_seconds += time.perf_counter() - start if split == job.splits[-1] else 0.0
        print(f"    {output.name}: {booster.best_iteration} trees")
    return Fitted(scores, parameters, training_seconds, scoring_seconds)


def count_parameters(booster: Any) -> int:
    """Counts the numbers of the trees: a feature and a threshold for each inner node, a value for each leaf.

    Args:
        booster: A `lightgbm.Booster`.
    """
    trees = booster.dump_model(num_iteration=booster.best_iteration)["tree_info"]
    return sum(2 * (tree["num_leaves"] - 1) + tree["num_leaves"] for tree in trees)


def _with_mean_rates(tables: "dict[str, Table]") -> "dict[str, Table]":
    """Adds the logarithm of the mean rate in the training rows to the logarithms of the exposures.

    The trees then predict a factor of that rate, which begins at 1.
    """
    train = tables["train"]
    weights = 1.0 if train.weights is None else train.weights
    rates = {
        task: (weights * train.labels[task]).sum() / (weights * np.exp(exposure)).sum() or 1.0
        for task, exposure in train.log_exposures.items()
    }
    return {
        split: dataclasses.replace(
            table, log_exposures={task: values + np.log(rates[task]) for task, values in table.log_exposures.items()}
        )
        for split, table in tables.items()
    }


def _unit(spec: DatasetSpec, output: Output, table: "Table") -> float:
    """Returns the mean label of a value in the output's space, in units of which the trees predict; 1 for others."""
    if spec.task(output.task).kind != "value" or output.task in table.log_exposures:
        return 1.0
    rows = is_judged(spec, output, table.labels, table.weights)
    labels, weights = table.labels[output.task][rows], None if table.weights is None else table.weights[rows]
    return float(np.average(labels, weights=weights)) if labels.any() else 1.0


def _predict(booster: Any, table: "Table", task: str) -> np.ndarray:
    """Returns probabilities or rates; the trees predict a factor of the exposure if the task has an offset."""
    blocks = (table.values[start : start + _BLOCK_ROWS] for start in range(0, len(table.values), _BLOCK_ROWS))
    scores = np.concatenate([booster.predict(block) for block in blocks])
    if task in table.log_exposures:
        scores = scores * np.exp(table.log_exposures[task])
    return np.asarray(scores, np.float32)


def _train(
    spec: DatasetSpec,
    output: Output,
    tables: "dict[str, Table]",
    options: LightGBMOptions,
    seed: int,
    folder: pathlib.Path,
    unit: float,
) -> Any:
    task = spec.task(output.task)
    train = _dataset(spec, output, tables["train"], folder, unit)
    validation = _dataset(spec, output, tables[_VALIDATION], folder, unit, train)
    lightgbm = _library()
    parameters = options.parameters(_OBJECTIVES[task.kind], seed, task.power if task.kind == "value" else None)
    if output.task in tables["train"].log_exposures:
        parameters["max_delta_step"] = _MAX_STEP
    return lightgbm.train(
        parameters,
        train,
        num_boost_round=options.max_rounds,
        valid_sets=[validation],
        callbacks=[lightgbm.early_stopping(options.patience, verbose=False)],
    )


def _dataset(
    spec: DatasetSpec, output: Output, table: "Table", folder: pathlib.Path, unit: float, reference: Any = None
) -> Any:
    """Creates the dataset of the rows of an output's space, with labels in the given unit."""
    rows, values = np.flatnonzero(is_judged(spec, output, table.labels, table.weights)), table.values
    if len(rows) < len(values):
        values = _values_on_disk(table.values, rows, folder)
    return _library().Dataset(
        values,
        table.labels[output.task][rows] / unit,
        feature_name=table.names,
        categorical_feature=table.categorical,
        reference=reference,
        weight=None if table.weights is None else table.weights[rows],
        init_score=table.log_exposures[output.task][rows] if output.task in table.log_exposures else None,
        free_raw_data=True,
    )


def _values_on_disk(values: np.ndarray, rows: np.ndarray, folder: pathlib.Path) -> np.ndarray:
    """Returns rows in a file that is mapped into memory, as LightGBM takes a matrix of adjacent rows only."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        for start in range(0, len(rows), _BLOCK_ROWS):
            values[rows[start : start + _BLOCK_ROWS]].tofile(file)
    if not len(rows):
        return values[:0]
    return np.asarray(np.memmap(file.name, values.dtype, mode="r")).reshape(len(rows), -1)
