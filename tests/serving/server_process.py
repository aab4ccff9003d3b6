"""Embedded server in a process of its own, whose memory and life can be observed."""

import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import grpc

_PROGRAM = """
import json, sys
from serving.server import EmbeddedServer
models, options = json.loads(sys.argv[1])
with EmbeddedServer(models, **options) as server:
    print(server.address, flush=True)
    sys.stdin.read()
"""


class ServerProcess:
    """Process that serves models until it is closed.

    Args:
        models: Base path of each model by name.
        options: Arguments of `EmbeddedServer`.
    """

    def __init__(self, models: Mapping[str, pathlib.Path], **options):
        arguments = json.dumps([{name: str(path) for name, path in models.items()}, options])
        command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, arguments]
        # A file and not a pipe, which nobody reads: once it is full, a request that TensorFlow warns of would wait.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(self._written())
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(self.address, options=options)
        self._predict = self.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    def predict(self, request: bytes, timeout: float = 30.0) -> tuple[grpc.StatusCode, str | bytes]:
        """Sends a serialized PredictRequest and returns the code with the text, or with the serialized response."""
        try:
            return grpc.StatusCode.OK, self._predict(request, timeout=timeout)
        except grpc.RpcError as error:
            return error.code(), error.details()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def memory(self) -> int:
        """Returns the resident memory in bytes."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """Returns the highest resident memory in bytes since `reset_peak_memory`."""
        return self._status("VmHWM")

    def reset_peak_memory(self) -> None:
        pathlib.Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def close(self) -> str:
        """Stops the server and returns what it wrote to stderr."""
        self.channel.close()
        return self._written()

    def _written(self) -> str:
        self._process.communicate()
        self._errors.seek(0)
        return self._errors.read()

    def _status(self, name: str) -> int:
        lines = pathlib.Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))
