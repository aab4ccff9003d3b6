"""Ids of crosses: the values of several features of a row as one hashed token."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfmtl.features import CategoricalFeature, Cross
from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor
from transforms.graph.hashed_ids import hashed_ids
from transforms.graph.scalar_columns import scalar_columns

_SEPARATOR = "\x1f"


def cross_ids(
    spec: DatasetSpec, inputs: Mapping[str, Tensor], ids: Mapping[str, Tensor], batch_size: Tensor
) -> dict[str, Tensor]:
    """Returns the ids of the crosses of a spec.

    Args:
        spec: Spec of the dataset.
        inputs: Raw features by name.
        ids: Buckets of the numerical features by name, `(batch,)`.
        batch_size: Number of rows.

    Returns:
        Ids by the name of the cross, `(batch,)` int64.
    """
    crosses: Sequence[Cross] = spec.crosses
    if not crosses:
        return {}
    members = list(dict.fromkeys(name for cross in crosses for name in cross.features))
    categorical = [one for one in map(spec.feature, members) if isinstance(one, CategoricalFeature)]
    values: dict[str, Tensor] = {}
    if categorical:
        columns = categorical_tokens(categorical, inputs, batch_size)
        values = dict(zip((one.name for one in categorical), tf.unstack(columns, len(categorical)), strict=True))
    values |= {name: tf.strings.as_string(ids[name]) for name in members if name not in values}
    tokens = [tf.strings.join([values[name] for name in cross.features], _SEPARATOR) for cross in crosses]
    hashed = hashed_ids(crosses, tf.concat(tokens, 0), tf.fill([len(crosses)], batch_size))
    rows = tf.unstack(tf.reshape(hashed, [len(crosses), -1]), len(crosses))
    return dict(zip((cross.name for cross in crosses), rows, strict=True))


def categorical_tokens(
    features: Sequence[CategoricalFeature], inputs: Mapping[str, Tensor], batch_size: Tensor
) -> Tensor:
    """Returns the tokens of categorical features with their defaults, "" where a row has neither.

    Args:
        features: Features, one at least.
        inputs: Raw features by name.
        batch_size: Number of rows.

    Returns:
        `(features, batch)`.
    """
    tokens = scalar_columns([inputs.get(feature.name) for feature in features], batch_size, "", tf.string)
    defaults = tf.constant([feature.default or "" for feature in features])[:, None]
    return tf.where(tf.equal(tokens, ""), defaults, tokens)
