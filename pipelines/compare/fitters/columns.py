"""Transformed features of a split as columns for decision trees."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from pipelines.label_columns import known_labels, population_weights
from pipelines.prepared.prepared import Prepared
from pipelines.training.input_pipeline import InputPipeline
from tfmtl.features import (
    MULTIVALENT,
    NUMBERS,
    WEIGHTS_SUFFIX,
    CategoricalFeature,
    DenseFeature,
    Feature,
    MultiValuedFeature,
)
from tfmtl.model_inputs import embedding_rows, offsets
from tfmtl.offsets import EXPOSURE_SUFFIX


@dataclasses.dataclass(frozen=True)
class Table:
    """Numerical and categorical columns with the labels of their rows.

    Attributes:
        values: Values of the columns, float32 `(rows, columns)`; NaN is a missing value. Those of `make_table` are
            read from the disk where they are used.
        names: Names of the columns.
        categorical: Names of the columns that hold ids, whose order has no meaning.
        labels: Labels by task, NaN where they are not known, `(rows,)`.
        log_exposures: Logarithm of the exposure of each count or value with an offset, by task, `(rows,)`.
        weights: Weights of the rows, `(rows,)`; None for weights of 1.
    """

    values: np.ndarray
    names: list[str]
    categorical: list[str]
    labels: dict[str, np.ndarray]
    log_exposures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    weights: np.ndarray | None = None


def make_table(
    data: Prepared, split: str, multivalent_tokens: int, folder: pathlib.Path, is_served: bool = True
) -> Table:
    """Converts the transformed features that networks take to columns for decision trees.

    - An id is a categorical value.
    - A number is the index of its bucket, which has an order, or NaN where it is missing.
    - A multivalent field has a column for each of its most frequent tokens, with the weight of the token in the row.
      The ids of a hashed field, of which no frequency is known, are divided evenly among as many columns.
    - Each position of a sequence is a column, categorical if the sequence is one of tokens; so is each number of a
      vector.

    Args:
        data: Prepared data.
        split: Name of the split.
        multivalent_tokens: Maximum number of tokens of a multivalent field that become columns.
        folder: Folder to which the values are written, 4 bytes each.
        is_served: Whether fixed values take the place of features that are known in training only. The rows of the
            split `train` have their own values.

    Returns:
        The columns of all rows of the split.
    """
    inputs = InputPipeline(data.spec, data.transform(), batch_size=1)  # Blocks do not depend on it.
    labels: dict[str, list[np.ndarray]] = {task.name: [] for task in data.spec.tasks}
    floors = {name: offset.floor for name, offset in offsets(data.spec).items()}
    exposures: dict[str, list[np.ndarray]] = {name: [] for name in floors}
    sizes = embedding_rows(data.spec, data.vocabulary_sizes())
    weights: list[np.ndarray] = []
    is_served = is_served and split != "train"
    names: list[str] = []
    categorical: list[str] = []
    path = folder / f"{split}-{'served' if is_served else 'logged'}.values"
    with path.open("wb") as file:
        for features, batch_labels, *batch_weights in inputs.blocks(data.files(split), 1, is_served):
            columns: dict[str, np.ndarray] = {}
            categorical = []
            for feature in data.spec.features:
                shares = features[feature.name + WEIGHTS_SUFFIX].numpy() if isinstance(feature, MULTIVALENT) else None
                ids, owner = features[feature.name].numpy(), data.spec.vocabulary_of(feature)
                if isinstance(feature, DenseFeature):
                    columns |= {f"{feature.name}_{i}": ids[:, i] for i in range(feature.length)}
                    continue
                feature_columns = _columns(feature, owner, ids, shares, sizes[feature.name], multivalent_tokens)
                columns |= feature_columns
                if not isinstance(feature, (*NUMBERS, MultiValuedFeature)):
                    categorical += list(feature_columns)
            for cross in data.spec.crosses:
                columns[cross.name] = features[cross.name].numpy().astype(np.float32)
                categorical.append(cross.name)
            names = list(columns)
            np.stack(list(columns.values()), axis=1).astype(np.float32, copy=False).tofile(file)
            given = {task.label: batch_labels[task.name] for task in data.spec.tasks}
            known = known_labels(data.spec, {**batch_labels, **given})
            for task in data.spec.tasks:
                labels[task.name].append(known[task.label].numpy())
            weights += [values.numpy() for values in batch_weights]
            for name, floor in floors.items():
                exposure = features[name + EXPOSURE_SUFFIX].numpy()
                exposures[name].append(np.log(np.where(exposure > floor, exposure, floor)))
    all_labels = {name: np.concatenate(parts) for name, parts in labels.items()}
    log_exposures = {name: np.concatenate(parts) for name, parts in exposures.items()}
    values = np.asarray(np.memmap(path, np.float32, mode="r")).reshape(-1, len(names))
    all_weights = np.concatenate(weights) if weights else None
    if split == "train":
        by_column = {task.label: all_labels[task.name] for task in data.spec.tasks}
        all_weights = population_weights(data.spec, by_column, all_weights)
    return Table(values, names, categorical, all_labels, log_exposures, all_weights)


def _columns(
    feature: Feature, owner: Any, ids: np.ndarray, weights: np.ndarray | None, size: int, multivalent_tokens: int
) -> dict[str, np.ndarray]:
    """Returns the columns of a feature, whose ids are those of the vocabulary or hash of its owner."""
    if isinstance(feature, MultiValuedFeature):
        assert weights is not None
        # Ids of unseen tokens come first, then the vocabulary, most frequent first.
        first = 0 if owner.hashed is not None else owner.num_oov
        count = min(size - first, multivalent_tokens)
        ids = ids % count if owner.hashed is not None else ids
        token_weights = np.zeros((len(ids), count), np.float32)
        row, position = np.nonzero((ids >= first) & (ids < first + count) & (weights != 0))
        np.add.at(token_weights, (row, ids[row, position] - first), weights[row, position])
        return {f"{feature.name}_{i}": token_weights[:, i] for i in range(count)}
    if isinstance(feature, NUMBERS):
        ids = np.where(ids == 0, np.nan, ids)
    if isinstance(feature, CategoricalFeature) or ids.ndim == 1:
        return {feature.name: ids.astype(np.float32)}
    if not isinstance(feature, NUMBERS):
        assert weights is not None
        ids = np.where(weights == 0, np.nan, ids)  # LightGBM treats NaN in a categorical column as missing.
    return {f"{feature.name}_{i}": ids[:, i].astype(np.float32) for i in range(ids.shape[1])}
