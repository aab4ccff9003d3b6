"""Rows of embedding tables in two models with other vocabularies: which row of the old one a row continues."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from tfmtl.features import NUMBERS, DenseFeature
from tfmtl.spec import DatasetSpec
from tfmtl.training.vocabularies import Tokens

_NO_SOURCE = -1

Sources: TypeAlias = Mapping[str, np.ndarray]
"""For each id of a feature, the id of the same value in the old model; -1 for none."""


@dataclasses.dataclass(frozen=True)
class FieldRows:
    """Numbers of a field's embedding rows that a warm start copied and did not copy.

    Rows are counted by token, or by bucket for numbers.

    Attributes:
        kept: Number of tokens that both models have; their rows were copied.
        new: Number of tokens that only the new model has; their rows keep their initial values.
        removed: Number of tokens that only the old model has; their rows were not copied.

    Example:
        >>> from tfmtl.training.embedding_rows import FieldRows
        >>> FieldRows(kept=3880, new=120, removed=31).new
        120
    """

    kept: int
    new: int
    removed: int


def row_sources(
    spec: DatasetSpec, vocabularies: Tokens, old_spec: DatasetSpec, old_vocabularies: Tokens
) -> tuple[Sources, dict[str, FieldRows]]:
    """Finds the row of the old model for each row of the new one, as `tfmtl.training.warm_start.warm_start` says.

    Args:
        spec: Spec of the new model.
        vocabularies: Tokens of the new model by feature name, in the order of their ids.
        old_spec: Spec of the trained model.
        old_vocabularies: Tokens of the trained model by feature name, in the order of their ids.

    Returns:
        The sources of the new model's features, and the numbers of rows of the features of both models.

    Example:
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training.embedding_rows import row_sources
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> sources, _ = row_sources(spec, {"user": [b"bob", b"eve"]}, spec, {"user": [b"ann", b"bob"]})
        >>> sources["user"].tolist()
        [0, 2, -1]
    """
    old_features = _owners(old_spec)
    sources, fields = {}, {}
    for name, feature in _owners(spec).items():
        sources[name], fields[name] = _sources(feature, old_features.get(name), vocabularies, old_vocabularies)
    for name, feature in old_features.items():
        if name not in sources:
            fields[name] = FieldRows(0, 0, _count_values(feature, old_vocabularies))
    return sources, fields


def table_pairs(model: Any, old: Any) -> dict[int, tuple[Any, Any]]:
    """Returns the embedding layers of the new and of the old model by the `id` of the new layer's table.

    Args:
        model: The new model.
        old: The trained model.
    """
    pairs = zip(model.sparse_embeddings, old.sparse_embeddings, strict=False)
    return {id(layer.table): (layer, old_layer) for layer, old_layer in pairs}


def moved_rows(values: Any, old_values: Any, layers: tuple[Any, Any], sources: Sources) -> np.ndarray:
    """Returns the values of a table, or of a slot of its optimizer, with the rows of the old model.

    Args:
        values: Initial values of the new table or slot, which rows without a source keep.
        old_values: Values of the old table or slot.
        layers: Embedding layers of the new and of the old table.
        sources: Result of `row_sources`.
    """
    layer, old_layer = layers
    moved, before = np.array(values), np.asarray(old_values)
    for field, source in sources.items():
        known = np.flatnonzero(source != _NO_SOURCE)
        moved[layer.offsets[field] + known] = before[old_layer.offsets.get(field, 0) + source[known]]
    return moved


def _owners(spec: DatasetSpec) -> dict[str, Any]:
    """Returns the features and crosses that have embeddings of their own, by name."""
    own = (feature for feature in spec.features if spec.vocabulary_of(feature) is feature)
    features: dict[str, Any] = {feature.name: feature for feature in own if not isinstance(feature, DenseFeature)}
    return features | {cross.name: cross for cross in spec.crosses}


def _sources(
    feature: Any, old_feature: Any, vocabularies: Tokens, old_vocabularies: Tokens
) -> tuple[np.ndarray, FieldRows]:
    """Returns the old id for each new id of a feature, -1 for none, and the numbers of rows."""
    if isinstance(feature, NUMBERS):
        return _number_sources(feature, old_feature)
    if feature.hashed is not None:
        return _hashed_sources(feature, old_feature, old_vocabularies)
    if old_feature is not None and (isinstance(old_feature, NUMBERS) or old_feature.hashed is not None):
        old_feature = None
    tokens = vocabularies[feature.name]
    if old_feature is None:
        return np.full(feature.num_oov + len(tokens), _NO_SOURCE), FieldRows(0, len(tokens), 0)
    num_oov, old_num_oov, old_tokens = feature.num_oov, old_feature.num_oov, old_vocabularies[feature.name]
    # The id of an unseen token is its hash modulo num_oov.
    is_multiple = num_oov % old_num_oov == 0
    unseen = np.arange(num_oov) % old_num_oov if is_multiple else np.full(num_oov, _NO_SOURCE)
    old_ids = {token: old_id for old_id, token in enumerate(old_tokens, start=old_num_oov)}
    known = np.fromiter((old_ids.get(token, _NO_SOURCE) for token in tokens), np.int64, len(tokens))
    kept = int(np.sum(known != _NO_SOURCE))
    return np.concatenate([unseen, known]), FieldRows(kept, len(tokens) - kept, len(old_tokens) - kept)


def _number_sources(feature: Any, old_feature: Any) -> tuple[np.ndarray, FieldRows]:
    """Returns the old bucket for each new bucket of a number."""
    if not isinstance(old_feature, NUMBERS):
        return np.full(feature.buckets + 1, _NO_SOURCE), FieldRows(0, feature.buckets, 0)
    if feature.quantiles is not None or old_feature.quantiles is not None:
        # Buckets of the same share of the rows correspond, whatever their bounds.
        is_kept = feature.quantiles == old_feature.quantiles
        sources = np.arange(feature.buckets + 1) if is_kept else np.full(feature.buckets + 1, _NO_SOURCE)
        return sources, _all_rows(is_kept, feature.buckets, old_feature.buckets)
    buckets = np.arange(feature.min_bucket, feature.max_bucket + 1)
    bounds = (old_feature.min_bucket, old_feature.max_bucket)
    kept = int(np.sum((buckets >= bounds[0]) & (buckets <= bounds[1])))
    rows = FieldRows(kept, len(buckets) - kept, bounds[1] - bounds[0] + 1 - kept)
    return np.concatenate([[0], np.clip(buckets, *bounds) - bounds[0] + 1]), rows


def _hashed_sources(feature: Any, old_feature: Any, old_vocabularies: Tokens) -> tuple[np.ndarray, FieldRows]:
    """Returns the old id for each new id of a hashed feature or cross: the same one if the hash is the same."""
    buckets = feature.hashed.buckets
    if old_feature is None:
        return np.full(buckets, _NO_SOURCE), FieldRows(0, buckets, 0)
    hashes = [(getattr(one, "hashed", None), getattr(one, "features", ())) for one in (feature, old_feature)]
    is_kept = hashes[0] == hashes[1]
    sources = np.arange(buckets) if is_kept else np.full(buckets, _NO_SOURCE)
    return sources, _all_rows(is_kept, buckets, _count_values(old_feature, old_vocabularies))


def _all_rows(is_kept: bool, count: int, old_count: int) -> FieldRows:
    return FieldRows(count, 0, 0) if is_kept else FieldRows(0, count, old_count)


def _count_values(feature: Any, vocabularies: Tokens) -> int:
    """Returns the number of buckets or tokens of a feature."""
    if isinstance(feature, NUMBERS):
        return feature.buckets
    if feature.hashed is not None:
        return int(feature.hashed.buckets)
    return len(vocabularies[feature.name])
