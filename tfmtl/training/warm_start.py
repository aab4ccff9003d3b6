"""Warm start: training that begins with the weights of an earlier model that has other vocabularies."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfmtl.features import NUMBERS
from tfmtl.spec import DatasetSpec
from tfmtl.training.embedding_rows import FieldRows, moved_rows, row_sources, table_pairs
from tfmtl.training.vocabularies import Tokens


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """Report of a warm start.

    Attributes:
        fields: Numbers of rows by feature name. The rows of a feature that only one of the models has are all new, or
            all removed.
        weights: Number of weights, other than embedding tables, that were copied.

    Example:
        >>> from tfmtl.training.warm_start import FieldRows, WarmStart
        >>> WarmStart({"user": FieldRows(kept=3880, new=120, removed=31)}, weights=24).weights
        24
    """

    fields: dict[str, FieldRows]
    weights: int


def warm_start(model: Any, vocabularies: Tokens, old: Any, old_vocabularies: Tokens) -> WarmStart:
    """Copies the weights of a trained model to a new model, with embedding rows matched by token.

    Each row of the new embedding tables is copied from the row that the old model uses for the same value:

    - Vocabulary: the row of a token is copied to the token's new id. A token that the old model does not have keeps its
      initial row.
    - Unseen tokens, padding and missing values, which share the ids `0 .. num_oov - 1`: the rows are copied to the same
      ids. If the `num_oov` of the new model is a multiple of the old one, each id is copied from the id that its tokens
      had. If it is another number, the rows keep their initial values.
    - Numbers: the row of the missing value is copied to the same id, and each bucket is copied from the bucket into
      which its numbers fell. Buckets outside the old range are copied from the outermost bucket.

    A row of the log therefore has the same score as before, unless it has a token that is new to the model, or that was
    unseen and now has an id. All other weights are copied unchanged, including weights that are not trained and
    counters of steps.

    The state of the optimizer is not copied; `tfmtl.training.warm_optimizer.warm_start_optimizer` does that.

    Args:
        model: The new model, a built `tfmtl.models.MultiTaskModel`.
        vocabularies: Tokens of the new model by feature name, in the order of their ids.
        old: The trained model.
        old_vocabularies: Tokens of the trained model by feature name, in the order of their ids.

    Returns:
        Numbers of embedding rows and weights that were copied.

    Raises:
        ValueError: If a weight does not fit, before any weight is copied: the models differ in class, tasks, dimensions
            or sizes; a feature has another position in the spec or is discretized differently; or vocabularies do not
            belong to their model.

    Example:
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training.warm_start import warm_start
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> old, old_tokens = SharedBottom(spec, {"user": 2}), {"user": [b"ann", b"bob"]}
        >>> model, tokens = SharedBottom(spec, {"user": 3}), {"user": [b"bob", b"eve", b"kim"]}
        >>> warm_start(model, tokens, old, old_tokens).fields["user"]
        FieldRows(kept=1, new=2, removed=1)
    """
    tables = check_models(model, vocabularies, old, old_vocabularies)
    sources, fields = row_sources(model.spec, vocabularies, old.spec, old_vocabularies)
    for weight, old_weight in zip(model.weights, old.weights, strict=True):
        layers = tables.get(id(weight))
        weight.assign(moved_rows(weight, old_weight, layers, sources) if layers else old_weight)
    return WarmStart(fields, len(model.weights) - len(tables))


def check_models(model: Any, vocabularies: Tokens, old: Any, old_vocabularies: Tokens) -> dict[int, tuple[Any, Any]]:
    """Checks that the weights of a trained model fit a new one.

    Args:
        model: The new model, a built `tfmtl.models.MultiTaskModel`.
        vocabularies: Tokens of the new model by feature name, in the order of their ids.
        old: The trained model.
        old_vocabularies: Tokens of the trained model by feature name, in the order of their ids.

    Returns:
        The embedding layers of both models, as `tfmtl.training.embedding_rows.table_pairs` gives them.

    Raises:
        ValueError: If a weight does not fit.
    """
    _check_spec(model, old)
    _check_vocabularies("new", model, vocabularies)
    _check_vocabularies("old", old, old_vocabularies)
    tables = table_pairs(model, old)
    _check_weights(model.weights, old.weights, tables)
    return tables


def _features(spec: DatasetSpec) -> dict[str, Any]:
    return {one.name: one for one in (*spec.features, *spec.crosses)}


def _check_spec(model: Any, old: Any) -> None:
    """Rejects models between which weights would be copied to another meaning although their shapes fit."""
    if type(model) is not type(old):
        raise ValueError(f"`old` should be a {type(model).__name__}. Received: a {type(old).__name__}")
    tasks, old_tasks = ([(task.name, task.kind, task.follows) for task in one.spec.tasks] for one in (model, old))
    if tasks != old_tasks or model.spaces != old.spaces:
        raise ValueError(
            "`old` should have the tasks of the new model, in the same order and on the same spaces: "
            f"{_describe_tasks(model)}. Received: {_describe_tasks(old)}"
        )
    for task, old_task in zip(model.spec.tasks, old.spec.tasks, strict=True):
        if task.offset != old_task.offset:
            raise ValueError(
                f"offset of `{task.name}` should be {old_task.offset}, as in the old model. Received: {task.offset}"
            )
    for option in ("sequences", "wide"):
        value, old_value = (getattr(one.options, option) for one in (model, old))
        if value != old_value:
            raise ValueError(f"option `{option}` should be {old_value}, as in the old model. Received: {value}")
    positions, old_positions = (list(_features(one.spec)) for one in (model, old))
    for name, old_feature in _features(old.spec).items():
        if name not in positions:
            continue
        feature = _features(model.spec)[name]
        position, old_position = positions.index(name), old_positions.index(name)
        if position != old_position:
            raise ValueError(
                f"feature `{name}` should be at position {old_position} of the spec, as in the old model, because "
                f"dense weights belong to positions. Received: position {position}"
            )
        if type(feature) is not type(old_feature):
            raise ValueError(
                f"feature `{name}` should be {_kind(old_feature)}, as in the old model. Received: {_kind(feature)}"
            )
        if isinstance(feature, NUMBERS) and feature.scale != old_feature.scale:
            raise ValueError(
                f"scale of `{name}` should be {old_feature.scale}, as in the old model, because buckets of another "
                f"scale contain other numbers. Received: {feature.scale}"
            )
        groups, old_groups = _groups(model.spec, name), _groups(old.spec, name)
        if groups != old_groups:
            raise ValueError(
                f"feature `{name}` should be in the groups of the old model: {old_groups}. Received: {groups}"
            )


def _kind(feature: Any) -> str:
    return getattr(feature, "kind", "cross")


def _groups(spec: DatasetSpec, name: str) -> list[str]:
    """Returns the groups of a feature, with `scenario` if it is the scenario."""
    return [group for group, names in spec.groups.items() if name in names] + ["scenario"] * (spec.scenario == name)


def _describe_tasks(model: Any) -> str:
    return ", ".join(f"{name} ({space})" for name, space in model.spaces.items())


def _check_vocabularies(which: str, model: Any, vocabularies: Tokens) -> None:
    for name, size in model.vocabulary_sizes.items():
        if name in vocabularies and len(vocabularies[name]) == size:
            continue
        received = len(vocabularies[name]) if name in vocabularies else "none"
        raise ValueError(
            f"vocabulary of `{name}` should have the {size} tokens of the {which} model. Received: {received}"
        )


def _check_weights(weights: Sequence[Any], old_weights: Sequence[Any], tables: Mapping[int, Any]) -> None:
    if len(weights) != len(old_weights):
        raise ValueError(
            f"`old` should have {len(weights)} weights, as the new model has. Received: {len(old_weights)}"
        )
    for weight, old_weight in zip(weights, old_weights, strict=True):
        shape, old_shape = tuple(weight.shape), tuple(old_weight.shape)
        if id(weight) in tables:
            shape, old_shape = shape[1:], old_shape[1:]
        if shape != old_shape or _path_in_model(weight) != _path_in_model(old_weight):
            raise ValueError(
                f"weight {weight.path} should have the name and shape of the old model's; where a feature was added "
                "or removed, layers that concatenate the features change their width, and the model has to be trained "
                f"without a warm start. Received: {old_weight.path} {old_shape} for {weight.path} {shape}"
            )


def _path_in_model(weight: Any) -> str:
    """Returns the path of a weight below its model, without the numbers that Keras adds to names of layers."""
    return re.sub(r"_\d+(?=/|$)", "", weight.path.partition("/")[2])
