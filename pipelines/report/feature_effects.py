"""Effects of the features on the scores of an exported model: permutation importance and partial dependence."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.evaluation.one_hot_rows import LabelledRows
from pipelines.label_columns import known_labels, label_parsing
from serving import raw_features
from serving.export import RAW
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature
from tfmtl.metrics import nmae, normalized_gini, roc_auc
from tfmtl.spec import DatasetSpec

Arrays = Mapping[str, np.ndarray]
Tensors = Mapping[str, tf.Tensor]
_SCORED = 80_000
"""Number of rows that are scored for the importances at most, which bounds their time."""
_MOST_ROWS, _FEWEST_ROWS = 10_000, 1_000
_REPEATS = 2
_DEPENDENCE_ROWS, _DEPENDENCE_FEATURES, _VALUES = 1_000, 4, 10
_BATCH = 4_096


@dataclasses.dataclass(frozen=True)
class Importance:
    """Permutation importance of a feature for an output.

    Attributes:
        feature: Name of the feature.
        output: Name of the output.
        loss: What the metric loses when the values of the feature are permuted between the rows, in the mean of the
            permutations: AUC of a binary output, the normalized Gini coefficient of a value, or the rise of a count's
            NMAE.
        lowest: Smallest loss of a permutation.
        highest: Largest loss of a permutation.
    """

    feature: str
    output: str
    loss: float
    lowest: float
    highest: float


@dataclasses.dataclass(frozen=True)
class Dependence:
    """Partial dependence of the outputs on a feature: the mean score if all rows had a value of it.

    Attributes:
        feature: Name of the feature.
        values: Values of the feature: the most frequent ones of a category, or quantiles of a number.
        means: Mean score by output, one for each value.
    """

    feature: str
    values: tuple[str | float, ...]
    means: Mapping[str, tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class FeatureEffects:
    """Effects of the features on a sample of rows.

    Attributes:
        rows: Number of rows of the sample.
        importances: Importance of each feature for each output.
        dependences: Partial dependence on the most important features.
        labels: Labels of the sample by output, in its space.
        scores: Scores of the sample by output, in its space.
    """

    rows: int
    importances: tuple[Importance, ...]
    dependences: tuple[Dependence, ...]
    labels: Arrays
    scores: Arrays


def feature_effects(spec: DatasetSpec, model: str, files: Sequence[str], seed: int = 0) -> FeatureEffects | None:
    """Measures the effects of the features on rows of the test split.

    The rows are the first ones of each file. Importance is the loss of the metric when one feature is permuted, with
    its weights if it has any (Breiman, 2001). Partial dependence is the mean score with one feature set to a value
    (Friedman, 2001).

    Args:
        spec: Spec of the dataset.
        model: Folder of the exported model, with the signature `raw`.
        files: TFRecord files of the split.
        seed: Seed of the permutations.

    Returns:
        The effects; None if there are no rows.
    """
    spec = spec.served
    count = max(_FEWEST_ROWS, min(_MOST_ROWS, _SCORED // (_REPEATS * len(spec.features))))
    tensors, columns = _read_rows(spec, files, count)
    rows = len(next(iter(tensors.values()), ()))
    if not rows:
        return None
    loaded = tf.saved_model.load(model)
    score = _Scorer(loaded.signatures[RAW])
    own = {output.name: columns.in_space(spec, output) for output in spec.outputs}
    spaces, labels = {name: one[0] for name, one in own.items()}, {name: one[1] for name, one in own.items()}
    scores = score(tensors)
    names = [output.name for output in spec.outputs if output.name in scores]

    def losses(permuted: Tensors) -> dict[str, float]:
        changed = score(permuted)
        return {
            name: _loss(spec, name, labels[name], scores[name][spaces[name]], changed[name][spaces[name]], own[name][2])
            for name in names
        }

    rng = np.random.default_rng(seed)
    importances = []
    for feature in spec.features:
        found = [losses(_permuted(feature, tensors, rng.permutation(rows))) for _ in range(_REPEATS)]
        for name in names:
            values = [one[name] for one in found]
            importances.append(Importance(feature.name, name, float(np.mean(values)), min(values), max(values)))
    dependences = _dependences(spec, importances, {k: v[:_DEPENDENCE_ROWS] for k, v in tensors.items()}, score, names)
    in_space = {name: scores[name][spaces[name]] for name in names}
    return FeatureEffects(rows, tuple(importances), dependences, {name: labels[name] for name in names}, in_space)


class _Scorer:
    """Scores raw tensors with a signature, in batches."""

    def __init__(self, signature: Any):
        self._signature = signature
        self._names = list(signature.structured_input_signature[1])

    def __call__(self, tensors: Tensors) -> dict[str, np.ndarray]:
        rows = len(next(iter(tensors.values())))
        parts = []
        for start in range(0, rows, _BATCH):
            batch = {name: tensors[name][start : start + _BATCH] for name in self._names}
            parts.append({name: values.numpy().reshape(-1) for name, values in self._signature(**batch).items()})
        return {name: np.concatenate([part[name] for part in parts]).astype(np.float64) for name in parts[0]}


def _read_rows(spec: DatasetSpec, files: Sequence[str], count: int) -> tuple[dict[str, tf.Tensor], LabelledRows]:
    """Returns the raw tensors of the first rows of each file, and their labels and weights."""
    each = math.ceil(count / max(len(files), 1))
    parts = [tf.data.TFRecordDataset(file, compression_type="GZIP").take(each).batch(each) for file in files]
    records = [batch for part in parts for batch in part]
    if not records:
        return {}, LabelledRows({}, None)
    examples = tf.concat(records, axis=0)
    parsed = tf.io.parse_example(examples, label_parsing(spec))
    tensors = raw_features.to_tensors(spec, _sparse(raw_features.parse_examples(spec, examples)))
    labels = {name: values.numpy().astype(np.float64) for name, values in known_labels(spec, parsed).items()}
    weights = None if spec.weight is None else parsed[spec.weight].numpy().astype(np.float64)
    return tensors, LabelledRows(labels, weights)


def _sparse(features: Mapping[str, Any]) -> dict[str, tf.SparseTensor]:
    return {
        name: one if isinstance(one, tf.SparseTensor) else tf.sparse.from_dense(one) for name, one in features.items()
    }


def _loss(
    spec: DatasetSpec,
    output: str,
    labels: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    weights: np.ndarray | None,
) -> float:
    """Returns the loss of AUC or of the Gini coefficient, or the rise of the NMAE of a count; NaN if not defined."""
    task = next(one.task for one in spec.outputs if one.name == output)
    if spec.task(task).kind == "value":
        return normalized_gini(labels, before, weights) - normalized_gini(labels, after, weights)
    if spec.task(task).kind == "count":
        if not labels.sum():
            return math.nan
        return nmae(labels, after, weights) - nmae(labels, before, weights)
    if len(np.unique(labels)) < 2:
        return math.nan
    return float(roc_auc(labels, before, weights) - roc_auc(labels, after, weights))


def _permuted(feature: Any, tensors: Tensors, order: np.ndarray) -> Tensors:
    names = [feature.name]
    if isinstance(feature, MultiValuedFeature) and feature.weights:
        names.append(feature.weights)
    return {**tensors, **{name: tf.gather(tensors[name], order) for name in names}}


def _dependences(
    spec: DatasetSpec, importances: Sequence[Importance], tensors: Tensors, score: _Scorer, names: Sequence[str]
) -> tuple[Dependence, ...]:
    """Returns the partial dependence on the categories and numbers with the largest importance for any output."""
    largest: dict[str, float] = {}
    for one in importances:
        largest[one.feature] = max(largest.get(one.feature, 0.0), 0.0 if math.isnan(one.loss) else one.loss)
    kinds = (CategoricalFeature, NumericalFeature)
    features = [feature for feature in spec.features if isinstance(feature, kinds) and largest[feature.name] > 0]
    found = []
    for feature in sorted(features, key=lambda one: -largest[one.name])[:_DEPENDENCE_FEATURES]:
        column = tensors[feature.name]
        values = _values(column.numpy())
        means = []
        for value in values:
            changed = {**tensors, feature.name: tf.fill(tf.shape(column), tf.constant(value, column.dtype))}
            means.append({name: float(scores.mean()) for name, scores in score(changed).items()})
        shown = tuple(v.decode("utf-8", "backslashreplace") if isinstance(v, bytes) else float(v) for v in values)
        found.append(Dependence(feature.name, shown, {name: tuple(one[name] for one in means) for name in names}))
    return tuple(found)


def _values(column: np.ndarray) -> list[Any]:
    """Returns the most frequent values of a category, or distinct quantiles of a number, without missing values."""
    if column.dtype.kind == "f":
        present = column[~np.isnan(column)]
        return list(np.unique(np.quantile(present, np.linspace(0.05, 0.95, _VALUES)).astype(column.dtype)))
    values, counts = np.unique([value for value in column if value != b""], return_counts=True)
    kept = values[np.argsort(-counts, kind="stable")[:_VALUES]]
    return [bytes(value) for value in kept]
