"""Embedded gRPC server with the protocol of TensorFlow Serving, for laptops, tests and notebooks.

```python
with EmbeddedServer({"ads": "runs/ads/serving"}) as server:
    client = TfmtlClient(server.address, "ads")
```

Production uses TensorFlow Serving itself (`serving/deploy`), which is faster and answers in the same way.
"""

import pathlib
import threading
from collections.abc import Mapping
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving import predict_service
from serving.requests.admission import InferencePool
from serving.requests.limits import DEFAULT_MESSAGE_BYTES, DEFAULT_QUEUE, Limits
from serving.tensors import MAX_BYTES
from serving.versions import ModelVersions

_HEALTH = health_pb2.HealthCheckResponse
_CONTROL_THREADS = 4
"""Threads of the calls that run no model."""


class EmbeddedServer:
    """Server of the newest version of each model, which polls the models' folders while it runs.

    `grpc.health.v1` answers SERVING for the service "" while every model has a version that answers. A model whose
    versions cannot be loaded does not stop the server; `GetModelStatus` and the log give the reason.

    Args:
        models: Base path of each model by the name under which it is served.
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free one.
        poll_seconds: Seconds between two polls of the folders.
        max_message_bytes: Maximum size of a request in bytes. A larger request, one with more than `max_batch` rows,
            and one that comes while `max_queue` requests wait, are answered with RESOURCE_EXHAUSTED.
        max_batch: Maximum number of rows in a request. None sets no limit.
        max_concurrency: Maximum number of requests that run at the same time; others wait. Defaults to four for each
            core. Metadata, status and health are answered at any time.
        max_queue: Maximum number of requests that wait.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    ```python
    server = EmbeddedServer({"ads": "runs/ads/serving"}, port=8500)
    server.start()
    server.wait()
    ```
    """

    def __init__(
        self,
        models: Mapping[str, str | pathlib.Path],
        host: str = "127.0.0.1",
        port: int = 0,
        poll_seconds: float = 1.0,
        max_message_bytes: int = DEFAULT_MESSAGE_BYTES,
        max_batch: int | None = None,
        max_concurrency: int | None = None,
        max_queue: int = DEFAULT_QUEUE,
    ):
        if not models or not all(models):
            raise ValueError(f"models should hold at least one base path by model name. Received: {dict(models)}")
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds should be above 0. Received: {poll_seconds}")
        self._models = {name: ModelVersions(name, base_path) for name, base_path in models.items()}
        self._host, self._port, self._poll_seconds = host, port, poll_seconds
        self._limits = Limits(max_message_bytes, max_batch, max_concurrency, max_queue)
        self._pool = InferencePool(self._limits)
        self._health = health.HealthServicer()
        self._stopping = threading.Event()
        self._server: grpc.Server | None = None
        self._poller: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Address `host:port`. Raises `RuntimeError` before the server is started."""
        if self._server is None:
            raise RuntimeError("server should be started before it has an address.")
        return f"{self._host}:{self._port}"

    @property
    def load(self) -> int:
        """Number of requests that run or wait for it, without those for metadata, status and health."""
        return self._pool.admitted

    def start(self) -> "EmbeddedServer":
        """Loads the models, then starts to answer.

        Returns:
            The server itself.

        Raises:
            RuntimeError: If it was started before, or the port is in use.
        """
        if self._server is not None:
            raise RuntimeError("server should be started once.")
        options = [
            ("grpc.max_receive_message_length", self._limits.max_message_bytes),
            ("grpc.max_send_message_length", MAX_BYTES),
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.server(
            futures.ThreadPoolExecutor(_CONTROL_THREADS, thread_name_prefix="control"), options=options
        )
        server.add_generic_rpc_handlers(predict_service.handlers(self._models, self._limits, self._pool))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._port = server.add_insecure_port(f"{self._host}:{self._port}")
        self._server = server
        self._poll()
        server.start()
        self._poller = threading.Thread(target=self._keep_polling, name="poll-versions", daemon=True)
        self._poller.start()
        return self

    def stop(self, grace: float = 5.0) -> None:
        """Refuses new requests, waits up to `grace` seconds for running ones, and unloads the models."""
        if self._server is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        if self._poller is not None:
            self._poller.join()
        for model in self._models.values():
            model.close()

    def wait(self) -> None:
        """Waits until another thread or Ctrl-C stops the server."""
        if self._server is not None:
            self._server.wait_for_termination()

    def __enter__(self) -> "EmbeddedServer":
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _keep_polling(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            self._poll()

    def _poll(self) -> None:
        for model in self._models.values():
            model.poll()
        ready = all(model.available for model in self._models.values())
        self._health.set("", _HEALTH.SERVING if ready else _HEALTH.NOT_SERVING)
