"""Embedded gRPC server with the protocol of TensorFlow Serving, for laptops, tests and notebooks.

```python
with EmbeddedServer({"ads": "runs/ads/serving"}) as server:
    client = TfmtlClient(server.address, "ads")
```

Production uses TensorFlow Serving itself (`serving/deploy`), which is faster and answers in the same way.
"""

import dataclasses
import logging
import math
import pathlib
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent import futures
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving import predict_service
from serving.address import is_loopback, join, listen
from serving.draining import Gate
from serving.model_config import ModelConfig
from serving.request_log import RequestLog, RequestLogOptions
from serving.request_metrics import RequestMetrics
from serving.requests import receiving
from serving.requests.admission import InferencePool
from serving.requests.limits import DEFAULT_MESSAGE_BYTES, DEFAULT_QUEUE, Limits
from serving.requests.receiving import ReceiveDeadlines, SeparateReceipt
from serving.security import BearerToken, TlsFiles
from serving.served_models import ServedModels
from serving.tensors import MAX_BYTES
from tfmtl.config import ConfigError

if TYPE_CHECKING:
    from serving.rest.http_server import HttpServer

_HEALTH = health_pb2.HealthCheckResponse
_REPORTED = 3

_log = logging.getLogger(__name__)


class EmbeddedServer:
    """Server of the versions of each model that its policy chooses, which polls the models' folders while it runs.

    `grpc.health.v1` answers SERVING for the service "" while every model has a version that answers. A model whose
    versions cannot be loaded does not stop the server; `GetModelStatus` and the log give the reason.

    Args:
        models: Base path of each model by the name under which it is served, of which the newest version is served; or
            a `ModelConfig` in place of the base path.
        host: Address to listen on, or `unix:PATH` for a Unix socket.
        port: Port to listen on; 0 chooses a free one.
        poll_seconds: Seconds between two polls of the folders.
        max_message_bytes: Maximum size of a request in bytes. A larger request, one with more than `max_batch` rows,
            and one that comes while `max_queue` requests wait, are answered with RESOURCE_EXHAUSTED.
        max_batch: Maximum number of rows in a request. None sets no limit.
        max_concurrency: Maximum number of requests that run at the same time; others wait. Defaults to four for each
            core. Metadata, status and health are answered at any time.
        max_queue: Maximum number of requests that wait.
        tls: Files of the certificate. Without them connections are not encrypted.
        token: Token that each request has to send in the header `authorization: Bearer TOKEN`.
        rest_port: Port of the REST API, the metrics and the health by HTTP (`serving.rest`); 0 chooses a free one. By
            default there is none.
        request_log: Folder, sampling rate and sizes of a log of requests (`serving.request_log`). By default there is
            none.

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
        models: Mapping[str, str | pathlib.Path | ModelConfig],
        host: str = "127.0.0.1",
        port: int = 0,
        poll_seconds: float = 1.0,
        max_message_bytes: int = DEFAULT_MESSAGE_BYTES,
        max_batch: int | None = None,
        max_concurrency: int | None = None,
        max_queue: int = DEFAULT_QUEUE,
        tls: TlsFiles | None = None,
        token: str | None = None,
        rest_port: int | None = None,
        request_log: RequestLogOptions | None = None,
    ):
        if not models or not all(models):
            raise ValueError(f"models should hold at least one base path by model name. Received: {dict(models)}")
        if not 0 < poll_seconds < math.inf:
            raise ValueError(f"poll_seconds should be above 0. Received: {poll_seconds}")
        self._models = ServedModels(_configs(models), poll_seconds, self._set_health)
        self._host, self._port, self._tls, self._token = host, port, tls, token
        self._limits = Limits(max_message_bytes, max_batch, max_concurrency, max_queue)
        self._pool, self._gate = InferencePool(self._limits), Gate()
        self._control = futures.ThreadPoolExecutor(receiving.RECEIVE_THREADS, thread_name_prefix="control")
        self._deadlines = ReceiveDeadlines(receiving.RECEIVE_SECONDS)
        self._health = health.HealthServicer()
        self._metrics = RequestMetrics(self._models)
        self._rest_port = rest_port
        self._http: HttpServer | None = None
        self._log_options = request_log
        self._log: RequestLog | None = None
        self._stopping = threading.Event()
        self._server: grpc.Server | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Address `host:port`, `[host]:port` or `unix:PATH`. Raises `RuntimeError` before the server is started."""
        if self._server is None:
            raise RuntimeError("server should be started before it has an address.")
        return self._address

    @property
    def rest_address(self) -> str:
        """Address `host:port` of the REST API. Raises `RuntimeError` if the server has none."""
        if self._http is None:
            raise RuntimeError("server should be started with a `rest_port` before it has an address for REST.")
        return self._http.address

    @property
    def load(self) -> int:
        """Number of requests that run or wait for it, without those for metadata, status and health."""
        return self._pool.admitted

    def start(self, require_models: bool = False) -> "EmbeddedServer":
        """Loads the models, all at the same time, then starts to answer.

        Args:
            require_models: Whether a model without a version that can be loaded is an error.

        Returns:
            The server itself.

        Raises:
            RuntimeError: If it was started before.
            ConfigError: If the address is in use or not one of this machine, a file for TLS is invalid, the folder of
                the request log cannot be used, or a model that is required cannot be loaded.
        """
        if self._server is not None:
            raise RuntimeError("server should be started once.")
        options = [
            ("grpc.max_receive_message_length", self._limits.max_message_bytes),
            ("grpc.max_send_message_length", MAX_BYTES),
            ("grpc.so_reuseport", 0),
        ]
        token = [BearerToken(self._token)] if self._token else []
        interceptors = [self._gate, *token, SeparateReceipt(self._deadlines)]
        server = grpc.server(self._control, options=options, interceptors=interceptors)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._address = listen(server, self._host, self._port, self._tls and self._tls.credentials())
        self._log = RequestLog(self._log_options, self._metrics) if self._log_options is not None else None
        server.add_generic_rpc_handlers(
            predict_service.handlers(self._models, self._limits, self._pool, self._metrics, self._log)
        )
        if self._token and not self._tls and not is_loopback(self._host):
            _log.warning("the token of requests to %s is not encrypted: TLS should be used with it", self._address)
        self._server = server
        try:
            self._models.start()
            missing = self._models.unavailable() if require_models else {}
            if missing:
                raise ConfigError(_missing_models(missing))
            if self._rest_port is not None:
                self._http = self._start_http(self._rest_port)
            self._deadlines.start()
            server.start()
        except BaseException:
            self.stop(0.0)
            raise
        return self

    def reload(self, configs: Iterable[ModelConfig]) -> None:
        """Replaces the configuration of the models, and waits for those that are new in it.

        Args:
            configs: Configuration of each model.

        Raises:
            StatusError: If the configuration is refused, or a new model cannot be loaded.
        """
        self._models.reload(configs)
        self._set_health()

    def stop(self, grace: float = 5.0, notice: float = 0.0) -> None:
        """Refuses new requests, waits for running ones, and unloads the models.

        Args:
            grace: Seconds that running requests have to finish.
            notice: Seconds, part of `grace`, during which new requests are still answered and `grpc.health.v1` answers
                NOT_SERVING. With some tenths of a second, requests that were sent before the call do not fail.
        """
        if self._server is None or self._stopping.is_set():
            return
        self._stopping.set()
        end = time.monotonic() + grace
        self._health.enter_graceful_shutdown()
        if notice > 0:
            time.sleep(min(notice, grace))
            self._gate.close()
            self._pool.finish_admitted(max(end - time.monotonic(), 0.0))
        if self._http is not None:
            self._http.stop(max(end - time.monotonic(), 0.0))
        self._server.stop(max(end - time.monotonic(), 0.0)).wait()
        self._deadlines.stop()
        self._models.stop(grace)
        for pool in (self._pool, self._control):
            pool.shutdown(wait=False)
        if self._log is not None:
            self._log.close()

    def wait(self) -> None:
        """Waits until another thread or Ctrl-C stops the server."""
        if self._server is not None:
            self._server.wait_for_termination()

    def __enter__(self) -> "EmbeddedServer":
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _start_http(self, port: int) -> "HttpServer":
        from serving.rest.api import RestApi  # aiohttp is imported only where REST is asked for.
        from serving.rest.http_server import HttpServer

        if self._host.startswith("unix:"):
            raise ConfigError("rest_port should be left out with a Unix socket. Received: both")
        http = HttpServer(
            RestApi(self._models, self._limits, self._metrics, self._log),
            self._metrics,
            lambda: self._models.ready,
            self._pool,
            self._host,
            port,
            self._limits.max_message_bytes,
            self._token,
            self._tls.context() if self._tls is not None else None,
        )
        try:
            http.start()
        except (OSError, OverflowError) as error:
            expected = f"{join(self._host, port)} should be a free address of this machine for REST"
            raise ConfigError(f"{expected}. Received: {getattr(error, 'strerror', None) or error}") from error
        return http

    def _set_health(self) -> None:
        self._health.set("", _HEALTH.SERVING if self._models.ready else _HEALTH.NOT_SERVING)


def _configs(models: Mapping[str, str | pathlib.Path | ModelConfig]) -> list[ModelConfig]:
    return [
        dataclasses.replace(model, name=name)
        if isinstance(model, ModelConfig)
        else ModelConfig(name, pathlib.Path(model))
        for name, model in models.items()
    ]


def _missing_models(missing: Mapping[str, str]) -> str:
    lines = [f"model {name} should have a version that can be loaded. Received: {why}" for name, why in missing.items()]
    more = f" ({len(lines) - _REPORTED} more models cannot be loaded)" if len(lines) > _REPORTED else ""
    return "\n".join(lines[:_REPORTED]) + more
