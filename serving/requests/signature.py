"""Signatures as plain Python objects, whose attributes are read faster than the fields of a protobuf message."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class InputInfo:
    """Input of a signature.

    Attributes:
        name: Name of the tensor that is fed.
        dtype: `DataType` of its elements.
        shape: Sizes of its dimensions, -1 for those that are free; None if the rank is free.
    """

    name: str
    dtype: int
    shape: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Signature of a SavedModel.

    Attributes:
        method_name: Method of the API of TensorFlow Serving that it is for.
        inputs: Inputs by alias, sorted.
        outputs: Names of the tensors of the outputs by alias, sorted.
        order: Aliases of the inputs, sorted by the names of their tensors: the order in which they are fed.
        defaults: `TensorProto`s of the inputs that a request may omit.
    """

    method_name: str
    inputs: dict[str, InputInfo]
    outputs: dict[str, str]
    order: list[str]
    defaults: dict[str, Any]


def signature_of(proto: Any) -> Signature:
    """Returns the signature that a `SignatureDef` describes."""
    inputs = {}
    for alias in sorted(proto.inputs):
        info = proto.inputs[alias]
        shape = None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
        inputs[alias] = InputInfo(info.name, info.dtype, shape)
    return Signature(
        method_name=proto.method_name,
        inputs=inputs,
        outputs={alias: proto.outputs[alias].name for alias in sorted(proto.outputs)},
        order=sorted(inputs, key=lambda alias: inputs[alias].name),
        defaults=dict(proto.defaults),
    )
