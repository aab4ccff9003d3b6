"""Admission of requests: a bounded number runs, a bounded number waits, and the others are refused at once.

`maximum_concurrent_rpcs` of gRPC would refuse health and status calls too, and has no queue. Here inference runs in a
pool of its own, which counts its requests, while other calls have the threads of the server. A waiting request has not
been read from the network, and thus takes no memory but for its header.
"""

from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, TypeAlias

import grpc

from serving.requests.limits import Limits

Behavior: TypeAlias = Callable[[list[bytes], grpc.ServicerContext], bytes]
"""Function that takes a serialized request out of a list, which nothing else refers to, and returns the response."""


def serialized_handler(behavior: Behavior) -> grpc.RpcMethodHandler:
    """Returns the handler of a method that parses its requests itself, on its own thread instead of gRPC's only one."""
    return grpc.unary_unary_rpc_method_handler(behavior, request_deserializer=lambda data: [data])


class InferencePool(futures.ThreadPoolExecutor):
    """Thread pool that knows when it has as many requests as it may.

    Args:
        limits: Number of requests that run and that wait.
    """

    def __init__(self, limits: Limits):
        super().__init__(limits.threads, thread_name_prefix="inference")
        self._most = limits.threads + limits.max_queue
        self._admitted: set[futures.Future] = set()

    @property
    def admitted(self) -> int:
        """Number of requests that run or wait."""
        return len(self._admitted)

    @property
    def full(self) -> bool:
        """True if all threads are busy and all places in the queue are taken."""
        return len(self._admitted) >= self._most

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future:
        """Runs a call in a thread of the pool, as `ThreadPoolExecutor` does."""
        future = super().submit(call, *args, **kwargs)
        self._admitted.add(future)
        future.add_done_callback(self._admitted.discard)
        return future

    def finish_admitted(self, seconds: float) -> None:
        """Waits up to `seconds` for the requests that have been admitted by now."""
        futures.wait(set(self._admitted), seconds)


class InferenceHandler(grpc.GenericRpcHandler):
    """Handler of methods that run in an `InferencePool`; it answers RESOURCE_EXHAUSTED while the pool is full.

    gRPC looks up a method and submits its call to the pool in one thread, so that the number of requests is exact.

    Args:
        service: Full name of the gRPC service.
        methods: Behavior of each method.
        pool: Pool in which they run.
    """

    def __init__(self, service: str, methods: Mapping[str, Behavior], pool: InferencePool):
        self._handlers = {}
        for name, method in methods.items():
            # gRPC runs a behavior with this attribute in the pool. Without it, calls would share the server's threads.
            method.experimental_thread_pool = pool  # type: ignore[attr-defined]
            self._handlers[f"/{service}/{name}"] = serialized_handler(method)
        # A handler of streams is called before a request has been read.
        self._refusal = grpc.stream_unary_rpc_method_handler(_refuse)
        self._pool = pool

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Returns the handler of a call; None if the method is not one of these."""
        handler = self._handlers.get(handler_call_details.method)
        return self._refusal if handler is not None and self._pool.full else handler


def _refuse(_: Any, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "server has as many requests running and waiting as it may have")
