"""Requests of a benchmark of serving, and the processes that answer them."""

import contextlib
import dataclasses
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import grpc
from google.protobuf.message import Message

from benchmarks.serving import echo, models
from serving import protos, tensors
from serving.client import TfmtlClient
from serving.connection import PREDICTION_SERVICE
from serving.rows import Batch, features_of
from serving.servable import Servable

PREDICT = f"/{PREDICTION_SERVICE}/Predict"
KINDS = {"tensors": "raw", "examples": "serving_default"}
"""Signature of each kind of request."""
_OPTIONS = [("grpc.max_receive_message_length", tensors.MAX_BYTES), ("grpc.max_send_message_length", tensors.MAX_BYTES)]
_START_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Case:
    """A kind of request.

    Attributes:
        features: Number of features.
        kind: `tensors`, one named tensor for each feature, or `examples`, serialized tf.Examples.
        batch: Number of rows.
    """

    features: int
    kind: str
    batch: int

    @property
    def model(self) -> str:
        """Name of the model."""
        return f"width_{self.features}"

    def request(self, signature: Message) -> Message:
        """Returns the request.

        Args:
            signature: Signature of the model that the request asks.
        """
        spec = models.spec_of(self.features)
        request = protos.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self.model, KINDS[self.kind]
        if self.kind == "examples":
            (name,) = signature.inputs
            tensors.write_strings(request.inputs[name], models.examples(spec, self.batch), [self.batch])
        else:
            batch = Batch(models.columns(spec, self.batch), features_of(signature))
            batch.write(request.inputs, 0, self.batch)
        return request


@contextlib.contextmanager
def embedded_server(folders: list[pathlib.Path]) -> Iterator[str]:
    """Context manager that runs `tfmtl serve` in a process of its own, and yields its address.

    Args:
        folders: Folders of the models.
    """
    code = "from pipelines.cli import program; program()"
    command = [sys.executable, "-W", "ignore", "-c", code, "serve", *map(str, folders), "--port", "0"]
    with _process(command) as (process, lines):
        for line in lines:
            if " on " in line:
                yield line.rpartition(" ")[2].strip()
                return
        raise RuntimeError(f"the server did not start (exit code {process.wait()})")


@contextlib.contextmanager
def echo_channel(response_bytes: int) -> Iterator[Callable[[bytes], bytes]]:
    """Context manager that runs an echo server, and yields a function that sends it bytes and waits for the answer.

    Args:
        response_bytes: Size of its answers.
    """
    command = [sys.executable, "-m", "benchmarks.serving.echo", str(response_bytes)]
    with _process(command) as (_, lines), grpc.insecure_channel(next(lines).strip(), options=_OPTIONS) as channel:
        yield channel.unary_unary(echo.METHOD)


def predict_method(channel: grpc.Channel) -> grpc.UnaryUnaryMultiCallable:
    """Returns the call Predict on serialized requests, whose answer is not parsed.

    Args:
        channel: Channel to the server.
    """
    return channel.unary_unary(PREDICT)


def open_channel(host: str) -> grpc.Channel:
    """Returns a channel to a server that takes large messages.

    Args:
        host: Address of the server.
    """
    return grpc.insecure_channel(host, options=_OPTIONS)


def signature(host: str, case: Case) -> Message:
    """Returns the signature of the model that a case asks.

    Args:
        host: Address of the server.
        case: Kind of request.
    """
    with TfmtlClient(host, case.model, deadline=_START_SECONDS) as client:
        return client.metadata().signature(KINDS[case.kind])


def graph_seconds(folder: pathlib.Path, case: Case, request: Message, calls: int) -> float:
    """Returns the median seconds of running a request in a graph session of this process, without a server.

    Args:
        folder: Folder of the model.
        case: Kind of request.
        request: The request.
        calls: Number of calls.
    """
    servable = Servable(folder / "1")
    seconds = []
    for i in range(calls + 5):
        start = time.perf_counter()
        servable.predict(KINDS[case.kind], request.inputs)
        if i >= 5:
            seconds.append(time.perf_counter() - start)
    servable.close()
    return sorted(seconds)[len(seconds) // 2]


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[tuple[subprocess.Popen, Iterator[str]]]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, iter(process.stdout)
    finally:
        process.terminate()
        process.wait()
