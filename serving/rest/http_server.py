"""HTTP server of the REST API, the metrics and the health of the embedded server."""

import asyncio
import functools
import hmac
import json
import ssl
import threading
from collections.abc import Callable

from aiohttp import web

from serving import request_metrics
from serving.address import join
from serving.errors import StatusError
from serving.request_metrics import RequestMetrics
from serving.requests import receiving
from serving.requests.admission import FULL, InferencePool
from serving.rest.api import RestApi

_START_SECONDS = 10.0
_JSON = "application/json"


class HttpServer:
    """Server of HTTP requests in a thread of its own; requests run in the threads of a pool.

    - `/v1/...`: the REST API (`RestApi`).
    - `/monitoring/prometheus/metrics`: metrics in the text format of Prometheus.
    - `/healthz`: 200 while the process answers; `/readyz`: 200 while every model has a version that answers, else 503.

    A body larger than the limit is answered with 413, and a request that comes while the pool is full with 429.

    Args:
        api: Answers of the REST API.
        metrics: Metrics of the requests.
        is_ready: Returns whether every model has a version that answers.
        pool: Pool of the requests that run models.
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free one.
        max_body: Maximum size of a body in bytes, after decompression.
        token: Token that each request but those for health has to send in the header `authorization: Bearer TOKEN`.
        tls: Certificate. Without it connections are not encrypted.
    """

    def __init__(
        self,
        api: RestApi,
        metrics: RequestMetrics,
        is_ready: Callable[[], bool],
        pool: InferencePool,
        host: str,
        port: int,
        max_body: int,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
    ):
        self._api, self._metrics, self._is_ready = api, metrics, is_ready
        self._pool = pool
        self._host, self._port, self._token, self._tls = host.strip("[]"), port, token, tls
        self._application = web.Application(client_max_size=max_body)
        self._application.router.add_get("/healthz", self._health)
        self._application.router.add_get("/readyz", self._readiness)
        self._application.router.add_get(request_metrics.PATH, self._show_metrics)
        self._application.router.add_route("*", "/v1/{rest:.*}", self._call)
        # `_stop` waits for the requests; aiohttp's own wait is the same for all stops.
        self._runner = web.AppRunner(self._application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        self._site: web.TCPSite | None = None
        self._running: set[asyncio.Future] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)

    @property
    def address(self) -> str:
        """Address `host:port`, or `[host]:port` of IPv6."""
        return join(self._host, self._port)

    def start(self) -> None:
        """Starts to answer. Raises `OSError` if the address is in use or not one of this machine."""
        self._thread.start()
        self._run(self._start(), _START_SECONDS)

    def stop(self, grace: float) -> None:
        """Refuses new requests, and waits up to `grace` seconds for running ones.

        Args:
            grace: Seconds to wait.
        """
        if not self._thread.is_alive():
            return
        self._run(self._stop(grace), grace + _START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine, seconds: float) -> None:  # type: ignore[no-untyped-def]
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)

    async def _start(self) -> None:
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self, grace: float) -> None:
        if self._site is not None and self._site in self._runner.sites:
            await self._site.stop()
        end = self._loop.time() + grace
        while self._running and self._loop.time() < end:
            await asyncio.wait(self._running, timeout=end - self._loop.time())
            await asyncio.sleep(0)  # Their answers are written.
        await self._runner.cleanup()

    async def _call(self, request: web.Request) -> web.Response:
        if not self._is_allowed(request):
            return _error(401, "request should have the header `authorization: Bearer TOKEN` with the server's token")
        try:
            async with asyncio.timeout(receiving.RECEIVE_SECONDS):
                body = await request.read()
        except TimeoutError:
            late = _error(408, f"request should arrive within {receiving.RECEIVE_SECONDS:g} seconds")
            late.force_close()
            return late
        path = request.rel_url.raw_path
        runs_model = request.method == "POST"
        if runs_model and self._pool.full:
            return _error(429, FULL)
        answer = functools.partial(self._api.answer, request.method, path, body)
        call = functools.partial(self._run_model, len(body), answer) if runs_model else answer
        # Status and metadata are answered while all places of the pool are taken.
        running = self._loop.run_in_executor(self._pool if runs_model else None, call)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        status, text = await running
        return web.Response(status=status, body=text, content_type=_JSON)

    def _run_model(self, size: int, answer: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        """Returns the answer to a request once it has a place in the pool."""
        try:
            with self._pool.place(size):
                return answer()
        except StatusError as error:
            return 429, json.dumps({"error": error.details}, indent=4).encode()

    async def _show_metrics(self, request: web.Request) -> web.Response:
        if not self._is_allowed(request):
            return _error(401, "request should have the header `authorization: Bearer TOKEN` with the server's token")
        return web.Response(text=self._metrics.text(), headers={"Content-Type": request_metrics.CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.Response(status=200 if ready else 503, text="ready\n" if ready else "a model has no version\n")

    def _is_allowed(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        sent = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        return hmac.compare_digest(sent, f"Bearer {self._token}".encode())


def _error(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=json.dumps({"error": text}, indent=4), content_type=_JSON)
