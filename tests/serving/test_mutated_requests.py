"""Mutated requests: a proper status each, soon, in the memory of the message limit, and scores that do not change."""

import random
import time

import numpy as np
import pytest

from serving import protos, tensors
from serving.requests.limits import DEFAULT_MESSAGE_BYTES
from tests.serving.mutations import mutate, parses
from tests.serving.server_process import ServerProcess

# OUT_OF_RANGE and UNIMPLEMENTED are codes of kernels, for shapes that they do not take.
PROPER = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "UNIMPLEMENTED"
}  # fmt: skip


def requests() -> list[bytes]:
    """Returns a valid request of each signature that the served models have."""
    x = np.array([1.0, 2.0], np.float32)
    strings = np.array([b"c1", b"?"], object)
    example = b"\x0a\x0d\x0a\x0b\x0a\x03age\x12\x04\x12\x02\x0a\x00"
    wanted = [
        ("m", "", {"x": x}),
        ("m", "product", {"x": np.stack([x, x])}),
        ("m", "echo", {"text": strings}),
        ("m", "parse", {"examples": np.array([example, b""], object)}),
        ("ads", "", {"examples": np.array([example, b""], object)}),
        ("ads", "raw", {"age": x, "city": strings, "tags": strings[:, None], "weights": x[:, None]}),
    ]
    made = []
    for content in (False, True):
        for name, signature, inputs in wanted:
            request = protos.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for alias, array in inputs.items():
                tensors.write(request.inputs[alias], array, content)
            made.append(request.SerializeToString())
    return made


def scores(process: ServerProcess) -> dict[str, list[float]]:
    code, answer = process.predict(requests()[5])
    assert code.name == "OK"
    return {
        alias: tensors.decode(proto).tolist()
        for alias, proto in protos.PredictResponse.FromString(answer).outputs.items()
    }


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_mutated_requests(tmp_path, line_exports, ads_export, publish, count):
    for name, export in (("m", line_exports[2]), ("ads", ads_export)):
        (tmp_path / name).mkdir()
        publish(export, tmp_path / name / "1")
    draw = random.Random(count)
    valid = requests()
    process = ServerProcess({name: tmp_path / name for name in ("m", "ads")})
    expected = scores(process)
    process.reset_peak_memory()
    idle = process.memory()
    codes: dict[str, int] = {}
    slowest = 0.0
    for index in range(count):
        data = mutate(valid, draw)
        start = time.monotonic()
        code, text = process.predict(data)
        slowest = max(slowest, time.monotonic() - start)
        codes[code.name] = codes.get(code.name, 0) + 1
        assert code.name in PROPER or (code.name == "INTERNAL" and not parses(data)), (code, text, data)
        if index % 100 == 99:
            assert scores(process) == expected
    assert process.alive
    assert process.peak_memory() - idle < 4 * DEFAULT_MESSAGE_BYTES
    assert slowest < (1.0 if count < 1000 else 3.0), f"{slowest:.2f} s"
    assert set(codes) >= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "RESOURCE_EXHAUSTED"}
    print(codes, f"slowest {1000 * slowest:.0f} ms, peak {(process.peak_memory() - idle) / 2**20:.0f} MB above idle")
    assert "Traceback" not in process.close()
