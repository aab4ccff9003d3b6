"""Memory of the embedded server while it answers requests and answers near the maximum size of a message."""

import numpy as np
import pytest
import tensorflow as tf

from serving import protos, tensors
from tests.serving.server_process import ServerProcess

MESSAGE_BYTES = 60_000_000
MOST = 4
"""Peak above the memory of the idle server, in sizes of the message."""

pytestmark = pytest.mark.long


class Numbers(tf.Module):
    """Module with a signature for each type, whose answers have the size of the request."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    def float32(self, x):
        return {"y": 2.0 * x + 1.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "x")], autograph=False)
    def int64(self, x):
        return {"y": x - 1}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Server in a process of its own, and its memory before the first large request."""
    folder = tmp_path_factory.mktemp("numbers")
    model = Numbers()
    signatures = {"serving_default": model.float32, "float32": model.float32, "int64": model.int64}
    tf.saved_model.save(model, str(folder / "1"), signatures=signatures)
    process = ServerProcess({"n": folder})
    for dtype in (np.float32, np.int64):
        assert process.predict(request(np.arange(10, dtype=dtype), content=True))[0].name == "OK"
    yield process, process.memory()
    process.close()


def request(array, content) -> bytes:
    message = protos.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = "n", array.dtype.name
    tensors.write(message.inputs["x"], array, content)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("values", "content"),
    [
        (np.arange(MESSAGE_BYTES // 4, dtype=np.float32), True),
        (np.arange(MESSAGE_BYTES // 4, dtype=np.float32), False),
        (np.arange(2**55, 2**55 + MESSAGE_BYTES // 8), True),
        (np.arange(2**55, 2**55 + MESSAGE_BYTES // 8), False),
    ],
    ids=["float32 as bytes", "float32 as float_val", "int64 as bytes", "int64 as int64_val"],
)
def test_memory_of_large_requests_and_answers(served, values, content):
    process, idle = served
    data = request(values, content)
    for _ in range(3):
        process.reset_peak_memory()
        code, answer = process.predict(data, timeout=60)
        assert code.name == "OK"
        assert len(answer) >= 0.99 * MESSAGE_BYTES
        peak = (process.peak_memory() - idle) / len(data)
        print(f"peak {peak:.2f} times the message")
        assert peak < MOST
