"""Mutations of valid Predict requests: of their bytes, and of the fields of their messages."""

import random

from serving import protos

_BYTES = [0, 1, 2, 0x12, 0x42, 0x7F, 0x80, 0xFF]
_SIZES = [0, 1, 2, 3, 7, 1000, 60_000_000, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -1, -(2**63)]
_TEXTS = ["", "m", "ads", "nope", "x", "zz", "raw", "echo", "serving_default", "ä" * 40, "\0", "a" * 5000]
_VALUES = {
    "half_val": [0, -1, 70_000], "float_val": [0.0, float("nan"), float("inf")], "double_val": [1.0],
    "int_val": [0, -1, 2**31 - 1], "string_val": [b"", b"\xff\xfe", b"c1", b"\x0a\x05garbage", b"B" * 1000],
    "scomplex_val": [1.0], "int64_val": [0, -1, 2**63 - 1], "bool_val": [True], "dcomplex_val": [0.5],
    "uint32_val": [2**32 - 1], "uint64_val": [2**64 - 1],
}  # fmt: skip


def mutate(requests: list[bytes], draw: random.Random) -> bytes:
    """Returns one of the requests after one to four mutations of its fields or of its bytes."""
    data = draw.choice(requests)
    for _ in range(draw.randint(1, 4)):
        data = _mutate_fields(data, draw) if draw.random() < 0.8 else _mutate_bytes(data, draw)
    return data


def parses(data: bytes) -> bool:
    """Returns whether bytes are a Predict request."""
    try:
        protos.PredictRequest.FromString(data)
    except Exception:
        return False
    return True


def _mutate_bytes(data: bytes, draw: random.Random) -> bytes:
    if not data:
        return bytes(draw.choices(_BYTES, k=5))
    start = draw.randrange(len(data))
    stop = min(len(data), start + draw.choice([1, 1, 1, 4, 20, 200]))
    kind = draw.randrange(6)
    if kind == 0:  # one bit
        return data[:start] + bytes([data[start] ^ 1 << draw.randrange(8)]) + data[start + 1 :]
    if kind == 1:  # one byte
        return data[:start] + bytes([draw.choice(_BYTES)]) + data[start + 1 :]
    if kind == 2:  # a part is missing
        return data[:start] + data[stop:]
    if kind == 3:  # a part comes several times
        return data[:stop] + data[start:stop] * draw.choice([1, 2, 100]) + data[stop:]
    if kind == 4:  # the end is missing
        return data[:start]
    return data[:start] + draw.randbytes(draw.choice([1, 3, 30])) + data[start:]


def _mutate_fields(data: bytes, draw: random.Random) -> bytes:
    if not parses(data):
        return _mutate_bytes(data, draw)
    request = protos.PredictRequest.FromString(data)
    kind = draw.randrange(8)
    if kind == 0:
        request.model_spec.name = draw.choice(_TEXTS)
    elif kind == 1:
        request.model_spec.signature_name = draw.choice(_TEXTS)
    elif kind == 2:
        request.model_spec.version.value = draw.choice(_SIZES)
    elif kind == 3:
        request.output_filter.extend(draw.choices([*_TEXTS, "y", "ctr"], k=draw.choice([1, 2, 50])))
    elif kind == 4 or not request.inputs:
        request.inputs[draw.choice(_TEXTS)].dtype = draw.choice(range(32))
    elif kind == 5 and len(request.inputs) > 1:
        del request.inputs[draw.choice(sorted(request.inputs))]
    else:
        _mutate_tensor(request.inputs[draw.choice(sorted(request.inputs))], draw)
    return request.SerializeToString()


def _mutate_tensor(proto, draw: random.Random) -> None:
    dims = proto.tensor_shape.dim
    kind = draw.randrange(7)
    if kind == 0 and dims:
        draw.choice(dims).size = draw.choice(_SIZES)
    elif kind == 1:
        for _ in range(draw.choice([1, 2, 40, 300])):
            dims.add().size = draw.choice([1, draw.choice(_SIZES)])
    elif kind == 2 and dims:
        del dims[draw.randrange(len(dims)) :]
    elif kind == 3:
        proto.dtype = draw.choice([*range(31), 101, 2**31 - 1])
    elif kind == 4:
        proto.tensor_content = draw.randbytes(draw.choice([0, 1, 8, 8, 1000]))
    else:
        field = draw.choice(sorted(_VALUES))
        if draw.random() < 0.3:
            proto.ClearField(field)
        getattr(proto, field).extend(draw.choices(_VALUES[field], k=draw.choice([1, 2, 1000])))
