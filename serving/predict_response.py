"""Answer of Predict as arrays, serialized with one copy of them."""

import dataclasses
import functools
from typing import Any

import numpy as np
from google.protobuf.message import Message

from serving import tensors
from serving.protos import wire
from serving.protos.schema import MESSAGES

_NUMBERS = {field: number for field, (number, *_) in MESSAGES["tensorflow.serving.PredictResponse"].items()}
_OUTPUTS, _MODEL_SPEC = _NUMBERS["outputs"], _NUMBERS["model_spec"]
_KEY, _VALUE = 1, 2


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Outputs of a signature.

    A `PredictResponse` would hold a copy of the outputs, and another while it is serialized.

    Attributes:
        model_spec: Name, version and signature of the model that has answered, a `ModelSpec`.
        outputs: Array of each output by alias.
    """

    model_spec: Any
    outputs: dict[str, np.ndarray]

    def serialize(self) -> bytes:
        """Returns the bytes of a `PredictResponse`."""
        parts: list[tensors.Part] = []
        for alias, array in self.outputs.items():
            tensor = tensors.serialize(array)
            size = sum(map(len, tensor))
            key, value = _key(alias), wire.header(_VALUE, size)
            parts.append(wire.header(_OUTPUTS, len(key) + len(value) + size) + key + value)
            parts += tensor
        spec = self.model_spec.SerializeToString()
        parts += (wire.header(_MODEL_SPEC, len(spec)), spec)
        return b"".join(parts)


def serialize(response: Prediction | Message) -> bytes:
    """Returns the bytes of the response of any method."""
    if isinstance(response, Prediction):
        return response.serialize()
    serialized: bytes = response.SerializeToString()
    return serialized


@functools.lru_cache(1024)
def _key(alias: str) -> bytes:
    """Returns the key of an entry of the map."""
    encoded = alias.encode()
    return wire.header(_KEY, len(encoded)) + encoded if encoded else b""
