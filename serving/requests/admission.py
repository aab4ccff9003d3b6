"""Admission of requests: a bounded number runs, a bounded number waits, and the others are refused at once.

`maximum_concurrent_rpcs` of gRPC would refuse health and status calls too, and has no queue. Here inference runs in a
pool of its own. A request is counted once it has arrived (`serving.requests.receiving`): then it runs, or waits for a
place, or is refused.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any, TypeAlias

import grpc

from serving.errors import StatusError, resource_exhausted
from serving.requests.limits import Limits
from serving.requests.receiving import RECEIVE_THREADS

Behavior: TypeAlias = Callable[[list[bytes], grpc.ServicerContext], bytes]
"""Function that takes a serialized request out of a list, which nothing else refers to, and returns the response."""

FULL = "server has as many requests running and waiting as it may have"
_WAITING_MESSAGES = 4


def serialized_handler(behavior: Behavior) -> grpc.RpcMethodHandler:
    """Returns the handler of a method that parses its requests itself, on its own thread instead of gRPC's only one."""
    return grpc.unary_unary_rpc_method_handler(behavior, request_deserializer=lambda data: [data])


class InferencePool(futures.ThreadPoolExecutor):
    """Threads of the requests that arrive, wait and run, of which a bounded number waits and runs.

    The requests that wait have at most four times the maximum size of one together.

    Args:
        limits: Number of requests that run and that wait.
    """

    def __init__(self, limits: Limits):
        most = limits.threads + limits.max_queue
        super().__init__(most + RECEIVE_THREADS, thread_name_prefix="inference")
        self._most_running, self._most = limits.threads, most
        self._max_waiting_bytes = _WAITING_MESSAGES * limits.max_message_bytes
        self._waiting_bytes, self._admitted = 0, 0
        self._places = threading.Semaphore(limits.threads)
        self._lock = threading.Lock()
        self._calls: set[futures.Future] = set()

    @property
    def admitted(self) -> int:
        """Number of requests that run or wait."""
        return self._admitted

    @property
    def full(self) -> bool:
        """True if as many requests run and wait as may."""
        return self._admitted >= self._most

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future:
        """Runs a call in a thread of the pool, as `ThreadPoolExecutor` does."""
        future = super().submit(call, *args, **kwargs)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return future

    @contextlib.contextmanager
    def place(self, request_bytes: int) -> Iterator[None]:
        """Context manager that waits for a place to run a request, and holds it.

        Args:
            request_bytes: Size of the request.

        Raises:
            StatusError: With code RESOURCE_EXHAUSTED if no further request may wait.
        """
        with self._lock:
            waits = self._admitted >= self._most_running
            if self.full or (waits and self._waiting_bytes + request_bytes > self._max_waiting_bytes):
                raise resource_exhausted(FULL)
            self._admitted += 1
            self._waiting_bytes += request_bytes
        try:
            with self._places:
                with self._lock:
                    self._waiting_bytes -= request_bytes
                yield
        finally:
            with self._lock:
                self._admitted -= 1

    def finish_admitted(self, seconds: float) -> None:
        """Waits up to `seconds` for the calls that have been submitted by now."""
        futures.wait(set(self._calls), seconds)


class InferenceHandler(grpc.GenericRpcHandler):
    """Handler of methods that run in an `InferencePool`; it answers RESOURCE_EXHAUSTED while the pool is full.

    Args:
        service: Full name of the gRPC service.
        methods: Behavior of each method.
        pool: Pool in which they run.
    """

    def __init__(self, service: str, methods: Mapping[str, Behavior], pool: InferencePool):
        self._handlers = {}
        for name, method in methods.items():
            self._handlers[f"/{service}/{name}"] = serialized_handler(_admitted(method, pool))
        # A handler of streams is called before a request has been read.
        self._refusal = grpc.stream_unary_rpc_method_handler(_refuse)
        self._pool = pool

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Returns the handler of a call; None if the method is not one of these."""
        handler = self._handlers.get(handler_call_details.method)
        return self._refusal if handler is not None and self._pool.full else handler


def _admitted(method: Behavior, pool: InferencePool) -> Behavior:
    """Returns a behavior that runs in the pool, once it has a place there."""

    def run(request: list[bytes], context: grpc.ServicerContext) -> bytes:
        try:
            with pool.place(len(request[0])):
                if context.is_active():
                    return method(request, context)
        except StatusError as error:
            context.abort(error.code, error.wire_details)
        return b""  # The client has cancelled the call while it waited.

    # gRPC runs a behavior with this attribute in the pool. Without it, calls would share the server's threads.
    run.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return run


def _refuse(_: Any, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, FULL)
