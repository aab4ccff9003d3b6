"""Starting from the weights of a trained model whose vocabularies were others."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmtl.features import NUMBERS, Feature
from tfmtl.spec import DatasetSpec
from tfmtl.training.vocabularies import Tokens

_FRESH = -1


@dataclasses.dataclass(frozen=True)
class FieldRows:
    """What became of a field's rows in the embedding table.

    Attributes:
        kept: tokens (of a number: buckets) that both models have, whose rows were copied.
        new: those that only the new model has; their rows stay as they were initialised.
        gone: those that only the old model had; their rows are lost.
    """

    kept: int
    new: int
    gone: int


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """What a warm start did.

    Attributes:
        fields: by feature; a feature that only one of the models has is all new, or all gone.
        weights: how many weights besides the embedding tables were copied.
    """

    fields: dict[str, FieldRows]
    weights: int


def warm_start(model: Any, vocabularies: Tokens, old: Any, old_vocabularies: Tokens) -> WarmStart:
    """Copies the weights of a trained model into a new one, the rows of embedding tables by token.

    A row goes to the id under which the new model looks up what the old one looked up there:

    - of a vocabulary, a token's row to the token's new id; a token without one keeps its initial row;
    - the ids of unseen tokens, padding and absent places (`0 .. num_oov - 1`) to themselves. Where the new model has a
      multiple of the old one's `num_oov`, each takes the row where its tokens were; where it has another number they
      stay as they are initialised;
    - of a number, the missing value's row to itself, and a bucket takes the row of its values: beyond the old bounds,
      the outermost one's.

    So a row of the log that holds no token that is new to the model, or was unseen to it, scores as before. All other
    weights, those that training does not change and those that count its steps among them, are copied as they are.

    **The optimizer's state is not carried**: its moments would speak for rows that are new, and its count of steps is
    that of another schedule.

    Args:
        model: the new, built `MultiTaskModel`.
        vocabularies: the tokens of its features, in the order of their ids.
        old: the trained model.
        old_vocabularies: those with which it was trained.

    Returns:
        How many rows of each field were kept, are new and are gone.

    Raises:
        ValueError: before anything is copied, if a weight does not fit: the models are of another class, dimension or
            sizes, their tasks differ, a feature stands at another place or is discretized otherwise, or vocabularies
            are not those of their model.

    Example:
        >>> old = keras.saving.load_model("runs/yesterday/model.keras")
        >>> model = MMoE.from_spec(spec, {name: len(tokens) for name, tokens in vocabularies.items()})
        >>> warm_start(model, vocabularies, old, read_vocabularies("runs/yesterday")).fields["user"]
        FieldRows(kept=3880, new=120, gone=31)
    """
    _check_spec(model, old)
    _check_vocabularies("new", model, vocabularies)
    _check_vocabularies("old", old, old_vocabularies)
    pairs = zip(model.sparse_embeddings, old.sparse_embeddings, strict=False)
    tables = {id(layer.table): (layer, of) for layer, of in pairs}
    _check_weights(model.weights, old.weights, tables)

    sources, fields = {}, {}
    for feature in model.spec.features:
        before = _features(old.spec).get(feature.name)
        sources[feature.name], fields[feature.name] = _sources(feature, before, vocabularies, old_vocabularies)
    for name, feature in _features(old.spec).items():
        if name not in sources:
            fields[name] = FieldRows(0, 0, _count(feature, old_vocabularies))
    for weight, of in zip(model.weights, old.weights, strict=True):
        weight.assign(_table(*tables[id(weight)], sources) if id(weight) in tables else of)
    return WarmStart(fields, len(model.weights) - len(tables))


def _table(layer: Any, old: Any, sources: Mapping[str, np.ndarray]) -> np.ndarray:
    """The new table: of each id the old row, or the initial one."""
    values, before = np.array(layer.table), np.asarray(old.table)
    for field, source in sources.items():
        known = np.flatnonzero(source != _FRESH)
        values[layer.offsets[field] + known] = before[old.offsets.get(field, 0) + source[known]]
    return values


def _sources(
    feature: Feature, old: Any, vocabularies: Tokens, old_vocabularies: Tokens
) -> tuple[np.ndarray, FieldRows]:
    """The old id of each new id of a feature, -1 where it has none; and what that comes to."""
    if isinstance(feature, NUMBERS):
        buckets = np.arange(feature.min_bucket, feature.max_bucket + 1)
        if old is None:
            return np.full(len(buckets) + 1, _FRESH), FieldRows(0, len(buckets), 0)
        bounds = (old.min_bucket, old.max_bucket)
        kept = int(np.sum((buckets >= bounds[0]) & (buckets <= bounds[1])))
        rows = FieldRows(kept, len(buckets) - kept, bounds[1] - bounds[0] + 1 - kept)
        return np.concatenate([[0], np.clip(buckets, *bounds) - bounds[0] + 1]), rows
    tokens = vocabularies[feature.name]
    if old is None:
        return np.full(feature.num_oov + len(tokens), _FRESH), FieldRows(0, len(tokens), 0)
    oov, before = old.num_oov, old_vocabularies[feature.name]
    # A token's unseen id is its hash modulo num_oov.
    unseen = np.arange(feature.num_oov) % oov if feature.num_oov % oov == 0 else np.full(feature.num_oov, _FRESH)
    ids = {token: id_ for id_, token in enumerate(before, start=oov)}
    known = np.fromiter((ids.get(token, _FRESH) for token in tokens), np.int64, len(tokens))
    kept = int(np.sum(known != _FRESH))
    return np.concatenate([unseen, known]), FieldRows(kept, len(tokens) - kept, len(before) - kept)


def _count(feature: Feature, vocabularies: Tokens) -> int:
    if isinstance(feature, NUMBERS):
        return feature.max_bucket - feature.min_bucket + 1
    return len(vocabularies[feature.name])


def _features(spec: DatasetSpec) -> dict[str, Any]:
    return {feature.name: feature for feature in spec.features}


def _check_spec(model: Any, old: Any) -> None:
    """Refuses what would copy weights to where they mean something else, though their shapes fit."""
    if type(model) is not type(old):
        raise ValueError(f"`old` should be a {type(model).__name__}. Received: a {type(old).__name__}")
    tasks = [[(task.name, task.kind, task.follows) for task in one.spec.tasks] for one in (model, old)]
    if tasks[0] != tasks[1] or model.spaces != old.spaces:
        raise ValueError(
            "`old` should have the tasks of the new model, in their order and on their spaces: "
            f"{_words(model)}. Received: {_words(old)}"
        )
    ways = [one.options.sequences for one in (model, old)]
    if ways[0] != ways[1]:
        raise ValueError(f"option `sequences` should be {ways[1]}, as it was. Received: {ways[0]}")
    places = [list(_features(one.spec)) for one in (model, old)]
    for name, before in _features(old.spec).items():
        if name not in places[0]:
            continue
        feature: Any = model.spec.feature(name)
        if places[0].index(name) != places[1].index(name):
            raise ValueError(
                f"feature `{name}` should stand where it stood, at place {places[1].index(name)}: dense weights know "
                f"features by their place. Received: place {places[0].index(name)}"
            )
        if type(feature) is not type(before):
            raise ValueError(f"feature `{name}` should be {before.kind}, as it was. Received: {feature.kind}")
        if isinstance(feature, NUMBERS) and feature.scale != before.scale:
            raise ValueError(
                f"scale of `{name}` should be {before.scale}, as it was: buckets of another scale hold other numbers. "
                f"Received: {feature.scale}"
            )
        if _roles(model.spec, name) != _roles(old.spec, name):
            raise ValueError(
                f"feature `{name}` should be in the groups in which it was: {_roles(old.spec, name)}. "
                f"Received: {_roles(model.spec, name)}"
            )


def _roles(spec: DatasetSpec, name: str) -> list[str]:
    """The groups of a feature, and whether it is the scenario."""
    return [group for group, names in spec.groups.items() if name in names] + ["scenario"] * (spec.scenario == name)


def _words(model: Any) -> str:
    return ", ".join(f"{name} ({space})" for name, space in model.spaces.items())


def _check_vocabularies(which: str, model: Any, vocabularies: Tokens) -> None:
    for name, size in model.vocabulary_sizes.items():
        if name in vocabularies and len(vocabularies[name]) == size:
            continue
        received = len(vocabularies[name]) if name in vocabularies else "none"
        raise ValueError(
            f"vocabulary of `{name}` should have the {size} tokens of the {which} model. Received: {received}"
        )


def _check_weights(weights: Sequence[Any], old: Sequence[Any], tables: Mapping[int, Any]) -> None:
    if len(weights) != len(old):
        raise ValueError(f"`old` should have {len(weights)} weights, as the new model has. Received: {len(old)}")
    for weight, of in zip(weights, old, strict=True):
        here, there = tuple(weight.shape), tuple(of.shape)
        if id(weight) in tables:
            here, there = here[1:], there[1:]
        if here != there or _plain_path(weight) != _plain_path(of):
            raise ValueError(
                f"weight {weight.path} should have the name and shape of the old model's; where a feature was added "
                "or removed, layers that see the features side by side change their width, and their model has to be "
                f"trained anew. Received: {of.path} {there} for {weight.path} {here}"
            )


def _plain_path(weight: Any) -> str:
    """The path below the model, without the numbers by which Keras tells layers of one class apart."""
    return re.sub(r"_\d+(?=/|$)", "", weight.path.partition("/")[2])
