"""Transformed features of a split as columns for decision trees."""

import dataclasses
import pathlib

import numpy as np

from pipelines.label_columns import population_weights
from pipelines.prepared.prepared import Prepared
from pipelines.training.input_pipeline import InputPipeline
from tfmtl.features import MULTIVALENT, NUMBERS, WEIGHTS_SUFFIX, CategoricalFeature, Feature, MultiValuedFeature
from tfmtl.model_inputs import offsets
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
        log_exposures: Logarithm of the exposure of each count with an offset, by task, `(rows,)`.
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
    - Each position of a sequence is a column, categorical if the sequence is one of tokens.

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
    sizes = data.vocabulary_sizes()
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
                feature_columns = _columns(feature, features[feature.name].numpy(), shares, sizes, multivalent_tokens)
                columns |= feature_columns
                if not isinstance(feature, (*NUMBERS, MultiValuedFeature)):
                    categorical += list(feature_columns)
            names = list(columns)
            np.stack(list(columns.values()), axis=1).astype(np.float32, copy=False).tofile(file)
            for name, values in batch_labels.items():
                labels[name].append(values.numpy())
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
    feature: Feature, ids: np.ndarray, weights: np.ndarray | None, sizes: dict[str, int], multivalent_tokens: int
) -> dict[str, np.ndarray]:
    if isinstance(feature, MultiValuedFeature):
        assert weights is not None
        count = min(sizes[feature.name], multivalent_tokens)
        first = feature.num_oov  # Ids of unseen tokens come first, then the vocabulary, most frequent first.
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
