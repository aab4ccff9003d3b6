"""Rows as one matrix of integers and one of numbers, however many features they have.

A pass of `tf.data` over rows costs as much for a column as for a matrix, and a data set of hundreds of columns takes
seconds to start.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfmtl.model_inputs import TransformedInput

_STORED = {"int64": tf.int32, "float32": tf.float32}
_LABEL = "label"  # A label may have the name of a feature.
_WEIGHT = ("weight",)


@dataclasses.dataclass(frozen=True)
class PackedRows:
    """Layout of the matrices.

    Each holds first the features with one value per row, then the labels and the row weight, then the features with
    several.

    Attributes:
        inputs: Features.
        labels: Names of the labels, which are numbers.
        is_weighted: Whether the rows have weights.
    """

    inputs: tuple[TransformedInput, ...]
    labels: tuple[str, ...]
    is_weighted: bool = False

    def pack(
        self, features: Mapping[str, tf.Tensor], labels: Mapping[str, tf.Tensor], weights: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, ...]:
        """Returns the matrices of some rows: ids as int32, then numbers as float32.

        Args:
            features: Features by name, ids as int64; further ones are ignored.
            labels: Labels by name, float32.
            weights: Weights of the rows, float32 `(rows,)`; None if the rows have none.
        """
        given: dict[Any, Any] = {**features, **{(_LABEL, name): values for name, values in labels.items()}}
        given[_WEIGHT] = weights
        matrices = []
        for dtype, stored in _STORED.items():
            scalars, lists = self._names(dtype)
            parts = [tf.stack([tf.reshape(given[name], [-1]) for name in scalars], 1)] if scalars else []
            parts += [tf.ensure_shape(given[name], (None, width)) for name, width in lists.items()]
            if parts:
                matrices.append(tf.cast(parts[0] if len(parts) == 1 else tf.concat(parts, 1), stored))
        return tuple(matrices)

    @tf.autograph.experimental.do_not_convert
    def unpack(self, *matrices: tf.Tensor) -> tuple[Any, ...]:
        """Returns the features in the types that models take and the labels, by name, and the weights if there are any.

        Args:
            *matrices: Matrices of `pack`.
        """
        remaining = list(matrices)
        found: dict[Any, Any] = {}
        for dtype in _STORED:
            scalars, lists = self._names(dtype)
            if not scalars and not lists:
                continue
            matrix = tf.cast(remaining.pop(0), dtype)
            sizes = [len(scalars), *lists.values()]
            parts = tf.split(tf.ensure_shape(matrix, (None, sum(sizes))), sizes, axis=1)
            found |= dict(zip(scalars, tf.unstack(parts[0], axis=1), strict=True))
            found |= dict(zip(lists, parts[1:], strict=True))
        features = {i.name: found[i.name] for i in self.inputs}
        labels = {name: found[_LABEL, name] for name in self.labels}
        return (features, labels, found[_WEIGHT]) if self.is_weighted else (features, labels)

    def _names(self, dtype: str) -> tuple[list[Any], dict[str, int]]:
        """Returns the names of the columns with one value per row, and the widths of the others by name."""
        inputs = [i for i in self.inputs if i.dtype == dtype]
        scalars: list[Any] = [i.name for i in inputs if not i.shape]
        if dtype == "float32":
            scalars += [*((_LABEL, name) for name in self.labels), *([_WEIGHT] if self.is_weighted else [])]
        return scalars, {i.name: i.shape[0] for i in inputs if i.shape}
