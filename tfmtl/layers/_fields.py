"""Fields of ids: their validation, the order of their columns, and weighted means of multivalent fields."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from tfmtl.features import WEIGHTS_SUFFIX
from tfmtl.layers._ids import check_ids
from tfmtl.layers._shapes import known
from tfmtl.types import Config, Features, Shape, Tensor

_FORMER_KEYS = {"rows": "vocab_sizes", "dim": "output_dim", "bags": "multivalent", "apart": "unpooled"}


def rename_former_keys(config: Mapping[str, Any]) -> Config:
    """Returns a config whose keys of earlier versions are replaced by the current ones."""
    return {_FORMER_KEYS.get(key, key): value for key, value in config.items()}


@dataclasses.dataclass(frozen=True)
class Fields:
    """Fields of a layer, and the order of the columns of their ids: single-valued fields before multivalent ones.

    Attributes:
        vocab_sizes: Number of ids of each field, in the order of the layer's output.
        multivalent: Names of the fields that hold several ids per row.
        unpooled: Names of the multivalent fields whose positions are not pooled.
        shared: Field whose ids a field uses, by the name of the latter.

    Raises:
        ValueError: If a field has no ids, or one of the names is not that of a field it may name.
    """

    vocab_sizes: dict[str, int]
    multivalent: tuple[str, ...]
    unpooled: tuple[str, ...]
    shared: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = self.vocab_sizes
        if not sizes or any(size < 1 for size in sizes.values()):
            raise ValueError(f"`vocab_sizes` should give every field at least one row. Received: {dict(sizes)}")
        unknown = [field for field in self.multivalent if field not in sizes]
        if unknown:
            raise ValueError(f"`multivalent` should be fields of `vocab_sizes`. Received: {unknown}")
        single_valued = [field for field in self.unpooled if field not in self.multivalent]
        if single_valued:
            raise ValueError(f"`unpooled` should be fields of `multivalent`. Received: {single_valued}")
        for field, owner in self.shared.items():
            if field not in sizes or owner not in sizes or owner in self.shared or sizes[field] != sizes[owner]:
                expected = "`shared` should map fields to other ones of the same size, which share none themselves"
                raise ValueError(f"{expected}. Received: {self.shared}")

    def table_offsets(self) -> tuple[dict[str, int], int]:
        """Returns the row of a table at which the ids of each field begin, and the number of its rows."""
        owners = {field: size for field, size in self.vocab_sizes.items() if field not in self.shared}
        starts = np.cumsum([0, *owners.values()]).tolist()
        own = dict(zip(owners, starts[:-1], strict=True))
        return {field: own[self.shared.get(field, field)] for field in self.vocab_sizes}, starts[-1]

    @property
    def single_valued(self) -> list[str]:
        """Names of the fields that hold one id per row."""
        return [field for field in self.vocab_sizes if field not in self.multivalent]

    def ids(self, inputs: Features) -> tuple[Tensor, list[str]]:
        """Returns the ids of all fields, `(batch, columns)`, and the field of each column.

        Raises:
            ValueError: If a field, or the weights of a multivalent field, are missing from the inputs.
            tf.errors.InvalidArgumentError: If an id is outside its field (on TensorFlow, on CPU).
        """
        needed = [*self.vocab_sizes, *(field + WEIGHTS_SUFFIX for field in self.multivalent)]
        missing = [name for name in needed if name not in inputs]
        if missing:
            raise ValueError(f"`inputs` should hold every field. Received none for: {', '.join(missing)}")
        single_valued = self.single_valued
        columns = [ops.cast(ops.stack([inputs[field] for field in single_valued], 1), "int")] if single_valued else []
        columns += [ops.cast(inputs[field], "int") for field in self.multivalent]
        names = [*single_valued, *(field for field in self.multivalent for _ in range(inputs[field].shape[1]))]
        ids = columns[0] if len(columns) == 1 else ops.concatenate(columns, axis=1)
        return check_ids(ids, self.vocab_sizes, names), names

    def pool(self, values: Tensor, inputs: Features) -> dict[str, Tensor]:
        """Returns the values by field.

        A single-valued field has its values; a multivalent one the mean of its values weighted by its weights, which is
        0 where they are all 0; an unpooled one its values times their weights.

        Args:
            values: `(batch, columns, dim)`, in the order of `ids`.
            inputs: Ids and weights by name.

        Returns:
            `(batch, dim)` by field, and `(batch, length, dim)` of an unpooled field.
        """
        single_valued, multivalent = self.divide(values)
        pooled = dict(zip(self.single_valued, ops.unstack(single_valued, axis=1), strict=True))
        return pooled | self.pool_multivalent(multivalent, inputs, self.multivalent)

    def pool_multivalent(self, values: Tensor, inputs: Features, fields: Sequence[str]) -> dict[str, Tensor]:
        """Returns the values of multivalent fields, as `pool` does.

        Args:
            values: `(batch, columns, dim)` of these fields only.
            inputs: Ids and weights by name.
            fields: Names of the fields, in the order of their columns.
        """
        pooled = {}
        parts = split(values, [inputs[field].shape[1] for field in fields])
        for field, part in zip(fields, parts, strict=True):
            weights = ops.cast(inputs[field + WEIGHTS_SUFFIX], values.dtype)
            if field in self.unpooled:
                pooled[field] = weights[:, :, None] * part
            else:
                pooled[field] = ops.einsum("bl,bld->bd", normalized(weights), part)
        return pooled

    def pool_all(self, values: Tensor, inputs: Features) -> Tensor:
        """Returns the values of all fields as one tensor, `(batch, fields, dim)`, in the order of the fields.

        Args:
            values: `(batch, columns, dim)`, in the order of `ids`.
            inputs: Ids and weights by name.
        """
        if not self.multivalent:  # The columns are in the order of the fields.
            return values
        single_valued, multivalent = self.divide(values)
        return self.concatenate(single_valued, self.pool_multivalent(multivalent, inputs, self.multivalent))

    def divide(self, values: Tensor) -> list[Tensor]:
        """Returns the values of the single-valued fields and those of the other ones.

        Args:
            values: `(batch, columns, dim)`, in the order of `ids`.
        """
        count = len(self.single_valued)
        return split(values, [count, values.shape[1] - count])

    def concatenate(self, single_valued: Tensor, multivalent: Mapping[str, Tensor]) -> Tensor:
        """Returns the values of all fields, `(batch, fields, dim)`, in the order of the fields.

        Args:
            single_valued: Values of the single-valued fields, `(batch, single_valued, dim)`.
            multivalent: Those of the other fields by name, as `pool` returns them.
        """
        is_given = multivalent.__contains__
        runs = [(given, list(run)) for given, run in itertools.groupby(self.vocab_sizes, is_given)]
        singles = iter(split(single_valued, [len(run) for given, run in runs if not given]))
        parts = []
        for given, run in runs:
            if given:
                parts += [
                    multivalent[field] if field in self.unpooled else multivalent[field][:, None] for field in run
                ]
            else:
                parts.append(next(singles))
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)

    def output_shape(self, input_shape: Mapping[str, Shape], dim: int, others: int = 0) -> Shape:
        """Returns the shape of what `concatenate` gives, followed by a number of other fields."""
        sizes = [input_shape[field][1] if field in self.unpooled else 1 for field in self.vocab_sizes]
        return (next(iter(input_shape.values()))[0], sum(map(known, sizes)) + others, dim)


def split(values: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Returns consecutive columns of a tensor, the gradient of which is one concatenation.

    The gradient of each slice would be a tensor of the size of `values`, and all of them would be added.

    Args:
        values: `(batch, columns, dim)`.
        sizes: Numbers of columns, the sum of which is `columns`.
    """
    if len(sizes) < 2:
        return [values] * len(sizes)
    parts: list[Tensor] = ops.split(values, np.cumsum(sizes)[:-1].tolist(), axis=1)
    return parts


def normalized(weights: Tensor) -> Tensor:
    """Returns the weights of each row divided by their sum; 0 where the sum is 0."""
    total = ops.sum(weights, axis=1, keepdims=True)
    return weights / ops.where(total == 0, ops.ones_like(total), total)
