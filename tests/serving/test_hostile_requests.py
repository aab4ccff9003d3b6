"""Requests that ask for much more memory or time than they have bytes: a status, soon, and no memory."""

import time

import numpy as np
import pytest

from serving import protos, tensors
from serving.requests.limits import DEFAULT_MESSAGE_BYTES
from tests.serving.server_process import ServerProcess

MEBIBYTE = 1 << 20
LARGE = 40 * MEBIBYTE
SPEC = b"\x0a\x03\x0a\x01m"


@pytest.fixture(scope="module")
def process(tmp_path_factory, line_exports, ads_export, publish):
    root = tmp_path_factory.mktemp("hostile")
    for name, export in (("m", line_exports[2]), ("ads", ads_export)):
        (root / name).mkdir()
        publish(export, root / name / "1")
    running = ServerProcess({name: root / name for name in ("m", "ads")})
    assert running.predict(predict(x=tensor(1, [2], float_val=[1.0, 2.0])))[0].name == "OK"
    yield running
    assert running.alive
    running.close()


def tensor(dtype, dims, **fields):
    proto = protos.TensorProto(dtype=dtype, **fields)
    for size in dims:
        proto.tensor_shape.dim.add().size = size
    return proto


def predict(name="m", signature="", **inputs) -> bytes:
    request = protos.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for alias, proto in inputs.items():
        request.inputs[alias].CopyFrom(proto)
    return request.SerializeToString()


def sized(tag: int, value: bytes) -> bytes:
    """Returns a field with its tag and length."""
    header = bytearray([tag])
    length = len(value)
    while length >= 0x80:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*header, length]) + value


def with_tensor(dtype: int, value: bytes) -> bytes:
    """Returns a request whose input x has five elements and these serialized values."""
    shape = sized(0x12, sized(0x12, b"\x08\x05"))
    return SPEC + sized(0x12, sized(0x0A, b"x") + sized(0x12, bytes([0x08, dtype]) + shape + value))


ZEROS = np.zeros(100_000, np.float32).tobytes()
STRINGS = [b""] * 100_000
REQUESTS = {
    "60 million strings from one": (
        "RESOURCE_EXHAUSTED", lambda: predict(signature="echo", text=tensor(7, [60_000_000], string_val=[b"x"]))
    ),
    "strings of another type than the signature": (
        "INVALID_ARGUMENT", lambda: predict(x=tensor(7, [60_000_000], string_val=[b"x"]))
    ),
    "2 GiB of zeros": ("RESOURCE_EXHAUSTED", lambda: predict(x=tensor(1, [2**29 - 1]))),
    "bools without values": ("INVALID_ARGUMENT", lambda: predict(x=tensor(10, [2**31 - 1]))),
    "large dimensions": ("INVALID_ARGUMENT", lambda: predict(x=tensor(1, [2**62] * 100_000))),
    "many dimensions of one": ("INVALID_ARGUMENT", lambda: predict(x=tensor(1, [1] * 100_000, float_val=[1.0]))),
    "rank above that of NumPy": ("INVALID_ARGUMENT", lambda: predict(x=tensor(1, [1] * 200, float_val=[1.0]))),
    "broadcast to 10 billion": ("INVALID_ARGUMENT", lambda: predict(
        "ads", "raw", age=tensor(1, [100_000, 1], tensor_content=ZEROS), city=tensor(7, [100_000], string_val=STRINGS),
        tags=tensor(7, [100_000, 1], string_val=STRINGS), weights=tensor(1, [100_000, 1], tensor_content=ZEROS),
    )),
    "broadcast of different rows": ("INVALID_ARGUMENT", lambda: predict(
        "ads", "raw", age=tensor(1, [1], float_val=[1.0]), city=tensor(7, [1], string_val=[b""]),
        tags=tensor(7, [1, 100_000], string_val=STRINGS), weights=tensor(1, [100_000, 1], tensor_content=ZEROS),
    )),
    "empty dimensions": ("RESOURCE_EXHAUSTED", lambda: with_tensor(1, sized(0x12, b"\x12\x00" * (LARGE // 2)))),
    "empty strings": ("RESOURCE_EXHAUSTED", lambda: with_tensor(7, b"\x42\x00" * (LARGE // 2))),
    "strings of tags of strings": ("INVALID_ARGUMENT", lambda: with_tensor(7, sized(0x42, b"B" * 98) * (LARGE // 100))),
    "small numbers of eight bytes": ("INVALID_ARGUMENT", lambda: with_tensor(9, sized(0x52, b"\x01" * LARGE))),
    "numbers that are not packed": ("RESOURCE_EXHAUSTED", lambda: with_tensor(1, b"\x2d\0\0\0\0" * (LARGE // 5))),
    "empty inputs": ("RESOURCE_EXHAUSTED", lambda: SPEC + b"\x12\x00" * (LARGE // 2)),
    "empty filters": ("RESOURCE_EXHAUSTED", lambda: SPEC + b"\x1a\x00" * (LARGE // 2)),
    "fields without a meaning": ("RESOURCE_EXHAUSTED", lambda: SPEC + b"\xa0\x06\x01" * (LARGE // 3)),
    "a whole message of floats": ("OK", lambda: predict(
        x=tensor(1, [LARGE // 4], tensor_content=bytes(LARGE))
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_status_time_and_memory(process, name):
    code, make = REQUESTS[name]
    request = make()
    idle = process.memory()
    process.reset_peak_memory()
    start = time.monotonic()
    received, text = process.predict(request)
    seconds = time.monotonic() - start
    assert received.name == code, text
    # A small request takes milliseconds, one of 40 MB a quarter of a second, on an idle machine.
    assert seconds < (1.0 if len(request) < 4 * MEBIBYTE else 10.0)
    assert process.peak_memory() - idle < 4 * DEFAULT_MESSAGE_BYTES
    if len(request) < MEBIBYTE:
        assert process.peak_memory() - idle < 32 * MEBIBYTE


def test_large_requests_do_not_block_small_ones(process):
    """A small request is answered while large ones are parsed, as no parser keeps the interpreter for long."""
    small = predict(x=tensor(1, [2], float_val=[1.0, 2.0]))
    large = with_tensor(7, b"\x42\x00" * (LARGE // 2))
    method = process.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    calls = [method.future(large, timeout=60) for _ in range(2)]
    slowest = 0.0
    while not all(call.done() for call in calls):
        start = time.monotonic()
        assert process.predict(small)[0].name == "OK"
        slowest = max(slowest, time.monotonic() - start)
    assert 0 < slowest < 2.0


def test_tensors_written_by_tensorflow_with_one_value_are_accepted(process):
    """`make_tensor_proto` writes a constant array of any size as one value."""
    code, answer = process.predict(predict(x=tensor(1, [10_000], float_val=[3.0])))
    assert code.name == "OK"
    output = tensors.decode(protos.PredictResponse.FromString(answer).outputs["y"])
    np.testing.assert_array_equal(output, np.full(10_000, 7.0))
