"""Calls of many rows while versions are swapped: each of them is answered by one version, and none fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from serving.server import EmbeddedServer
from tests.serving.blocking_facade import CLIENTS
from tests.serving.test_server import wait_for

ROWS = 3_000
X = np.arange(ROWS, dtype=np.float32)


class TwoInputs(tf.Module):
    """Module of y = slope * x + 1 that takes a further number."""

    def __init__(self, slope):
        super().__init__()
        self.slope = tf.Variable(slope)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x"), tf.TensorSpec([None], tf.float32, "further")])
    def line(self, x, further):
        return {"y": self.slope * x + tf.where(tf.math.is_nan(further), 1.0, further)}


@pytest.fixture(scope="module")
def two_inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_inputs") / "export"
    model = TwoInputs(4.0)
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.line})
    return folder


@pytest.mark.parametrize(
    ("kind", "swaps"),
    [("blocking", 6), ("asyncio", 6), pytest.param("blocking", 60, marks=pytest.mark.long)],
)
def test_no_call_mixes_versions_and_none_fails(tmp_path, line_exports, two_inputs, publish, kind, swaps):
    exports = {0: (line_exports[2], 2.0), 1: (line_exports[3], 3.0), 2: (two_inputs, 4.0)}
    publish(exports[1][0], tmp_path / "1")
    done = threading.Event()

    answered = [[], [], []]

    def keep_asking(address, versions):
        with CLIENTS[kind](address, "m", signature="serving_default", max_batch=100, deadline=60.0) as client:
            while not done.is_set():
                scores = client.predict({"x": X})
                np.testing.assert_array_equal(scores["y"], exports[scores.version % 3][1] * X + 1)
                versions.append(scores.version)

    with EmbeddedServer({"m": tmp_path}, poll_seconds=0.02) as server, ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(keep_asking, server.address, versions) for versions in answered]
        try:
            with CLIENTS["blocking"](server.address, "m") as client:
                for version in range(2, 2 + swaps):
                    wait_for(lambda: any(future.done() for future in asking) or all(map(len, answered)))
                    publish(exports[version % 3][0], tmp_path / str(version))
                    wait_for(lambda version=version: client.status()[0].version == version)
                    wait_for(lambda: client.status()[0].state == "AVAILABLE" and client.status()[1].state == "END")
        finally:
            done.set()
        for future in asking:
            future.result()
    for versions in answered:
        assert versions == sorted(versions)
        assert versions[0] == 1
        assert versions[-1] == 1 + swaps
