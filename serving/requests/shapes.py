"""Shapes of the inputs of a request, compared with those of the signature and with one another."""

from collections.abc import Mapping

from serving.errors import invalid_argument
from serving.requests.limits import Limits
from serving.requests.signature import Signature
from serving.tensors import EncodedTensor

_ELEMENT_BYTES = 8


def validate_shapes(signature: Signature, tensors: Mapping[str, EncodedTensor], limits: Limits) -> None:
    """Rejects inputs that contradict the signature or one another, if broadcasting them takes too much memory.

    Arrays of shapes (100000, 1) and (100000,) are small, and their sum takes 40 GB. Small sums are left to the graph,
    whose own text says what is wrong with the inputs, or which accepts them.

    Args:
        signature: Signature to run.
        tensors: Tensor of each of its inputs.
        limits: Limits of the memory of a request.

    Raises:
        StatusError: With code INVALID_ARGUMENT.
    """
    rows: dict[int, str] = {}
    wrong = ""
    for alias, tensor in tensors.items():
        expected = signature.inputs[alias].shape
        if expected is None:
            continue
        if not _fits(expected, tensor.shape):
            wrong = f"input {alias} should have the shape {list(expected)}. Received: {list(tensor.shape)}"
            break
        if expected and expected[0] == -1:
            rows[tensor.shape[0]] = alias
    if not wrong and len(rows) > 1:
        wrong = f"inputs should have the same number of rows. Received: {_names(rows)}"
    if wrong and _broadcast_bytes(tensors) > limits.max_decoded_bytes:
        raise invalid_argument(wrong)


def _fits(expected: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    if len(expected) != len(shape):
        return False
    return (expected[1:] == shape[1:] and expected[:1] in ((), (-1,), shape[:1])) or all(
        size in (-1, actual) for size, actual in zip(expected, shape, strict=True)
    )


def _broadcast_bytes(tensors: Mapping[str, EncodedTensor]) -> int:
    """Returns the memory of an array of the largest size of each axis, to which tensors may be broadcast at most."""
    shape: list[int] = []
    for tensor in tensors.values():
        for axis, size in enumerate(reversed(tensor.shape)):
            if axis == len(shape):
                shape.append(1)
            shape[axis] = max(shape[axis], size)
    elements = _ELEMENT_BYTES
    for size in shape:
        elements *= size
    return elements


def _names(rows: Mapping[int, str]) -> str:
    return ", ".join(f"{size} of {alias}" for size, alias in rows.items())
