"""The transformed features of a split as columns for decision trees."""

import dataclasses

import numpy as np

from pipelines.compare.data.prepared import Prepared
from pipelines.training.input_pipeline import InputPipeline
from tfmtl.features import BAGS, NUMBERS, WEIGHTS_SUFFIX, CategoricalFeature, Feature, MultiValuedFeature

_BATCH = 8192


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of numbers, and of ids whose order means nothing.

    Attributes:
        values: `(rows, columns)` float32; NaN is a missing number.
        names: of the columns.
        categorical: which of them are ids.
        labels: by task.
    """

    values: np.ndarray
    names: list[str]
    categorical: list[str]
    labels: dict[str, np.ndarray]


def table_of(data: Prepared, split: str, bag_tokens: int) -> Table:
    """What the networks see, for trees.

    An id is a category. A number is its bucket, which has an order, and NaN where it is missing. Of a bag there is a
    column for each of its most frequent tokens, with the weight that the row gives it. Each place of a sequence is a
    column: a category of a token, a number of a number.

    Args:
        data: the prepared data.
        split: which rows.
        bag_tokens: at most so many tokens of a bag are columns.
    """
    inputs = InputPipeline(data.spec, data.transform(), _BATCH)
    blocks: list[list[np.ndarray]] = []
    labels: dict[str, list[np.ndarray]] = {task.name: [] for task in data.spec.tasks}
    sizes = data.vocabulary_sizes()
    names: list[str] = []
    categorical: list[str] = []
    for features, of_rows in inputs.evaluation(data.files(split)):
        columns: dict[str, np.ndarray] = {}
        categorical = []
        for feature in data.spec.features:
            weights = features[feature.name + WEIGHTS_SUFFIX].numpy() if isinstance(feature, BAGS) else None
            added = _columns(feature, features[feature.name].numpy(), weights, sizes, bag_tokens)
            columns |= added
            if not isinstance(feature, (*NUMBERS, MultiValuedFeature)):
                categorical += list(added)
        names = list(columns)
        blocks.append([np.stack(list(columns.values()), axis=1)])
        for name, values in of_rows.items():
            labels[name].append(values.numpy())
    values = np.concatenate([block for (block,) in blocks])
    return Table(values, names, categorical, {name: np.concatenate(parts) for name, parts in labels.items()})


def _columns(
    feature: Feature, ids: np.ndarray, weights: np.ndarray | None, sizes: dict[str, int], bag_tokens: int
) -> dict[str, np.ndarray]:
    if isinstance(feature, MultiValuedFeature):
        assert weights is not None
        count = min(sizes[feature.name], bag_tokens)
        first = feature.num_oov  # Ids of unseen tokens come first, then the vocabulary, most frequent first.
        found = np.zeros((len(ids), count), np.float32)
        row, place = np.nonzero((ids >= first) & (ids < first + count) & (weights != 0))
        np.add.at(found, (row, ids[row, place] - first), weights[row, place])
        return {f"{feature.name}_{i}": found[:, i] for i in range(count)}
    if isinstance(feature, NUMBERS):
        ids = np.where(ids == 0, np.nan, ids)
    if isinstance(feature, CategoricalFeature) or ids.ndim == 1:
        return {feature.name: ids.astype(np.float32)}
    if not isinstance(feature, NUMBERS):
        assert weights is not None
        ids = np.where(weights == 0, np.nan, ids)  # A category that is missing.
    return {f"{feature.name}_{i}": ids[:, i].astype(np.float32) for i in range(ids.shape[1])}
