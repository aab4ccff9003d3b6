"""Inputs of a signature, as the client fills them."""

import dataclasses
import math
from typing import Any

import numpy as np
from google.protobuf.message import Message

from serving import tensors
from tfmtl.features import MULTIVALENT
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class Feature:
    """One input of a signature.

    Attributes:
        name: Name of the input.
        dtype: NumPy type of its elements; `object` for strings.
        multivalent: True if a row holds a list: shape `(batch, width)` instead of `(batch,)`.
        width: Width of the lists if the signature fixes it.
        raw: True if the model recognizes missing values. Transformed ids and weights are padded with 0 instead.
        separator: Separator at which a string is split into a list; None if strings are no lists.
        tokens: Whether whole numbers are taken as tokens.
    """

    name: str
    dtype: np.dtype
    multivalent: bool = False
    width: int | None = None
    raw: bool = True
    separator: str | None = None
    tokens: bool = False

    @property
    def kind(self) -> str:
        """Expected type of one element, for error messages."""
        return {"O": "string", "f": "number"}.get(self.dtype.kind, "integer")

    @property
    def padding(self) -> Any:
        """Value that pads a list to its width: a missing value, or 0."""
        return {"O": b"", "f": math.nan if self.raw else 0.0}.get(self.dtype.kind, 0)

    def write(self, proto: Message, values: list, width: int) -> None:
        """Fills `proto` with the rows' values; lists are padded to `width` unless the signature fixes it."""
        shape = [len(values)]
        if self.multivalent:
            shape.append(self.width or width)
            values = [item for row in values for item in self._pad(row, shape[1])]
        if self.dtype.kind == "O":
            tensors.write_strings(proto, values, shape)
        else:
            with np.errstate(over="ignore"):  # A number beyond float32 becomes infinite.
                array = np.array(values, self.dtype)
            tensors.write(proto, array.reshape(shape), content=True)

    def _pad(self, values: list, width: int) -> list:
        padding = [self.padding] * (width - len(values))
        return values + padding if self.width is None else padding + values


def features_of(signature: Message, raw: bool = True, spec: DatasetSpec | None = None) -> dict[str, Feature]:
    """Returns the inputs of a signature by name.

    Args:
        signature: Signature of a model.
        raw: True if the signature takes raw features. Another signature pads lists of fixed width with 0.
        spec: Spec of the dataset, with whose separators strings are split into lists; None to refuse them.

    Raises:
        ValueError: If an input is not a string or number of shape `(batch,)` or `(batch, width)`.
    """
    features, separators = {}, _separators(spec)
    for name, info in signature.inputs.items():
        dims = [dim.size for dim in info.tensor_shape.dim]
        dtype = tensors.numpy_dtype(info.dtype)
        if len(dims) not in (1, 2) or dtype.kind not in "Ofiu":
            expected = "strings or numbers of shape [batch] or [batch, width]"
            raise ValueError(f"input {name} should be {expected}. Received: {dtype} of rank {len(dims)}")
        width = dims[1] if len(dims) == 2 and dims[1] > 0 else None
        is_list = len(dims) == 2
        separator = separators.get(name) if is_list else None
        features[name] = Feature(name, dtype, is_list, width, raw or width is None, separator, spec is not None)
    return features


def _separators(spec: DatasetSpec | None) -> dict[str, str]:
    """Returns the separator of each list by the name of its column."""
    found = {}
    for feature in spec.features if spec is not None else ():
        if isinstance(feature, MULTIVALENT):
            found[feature.name] = feature.separator
            weights = getattr(feature, "weights", None)
            if weights:
                found[weights] = feature.separator
    return found
