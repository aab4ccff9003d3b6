"""Receipt of requests: a client that sends slowly holds neither a thread of inference nor a place in the queue.

gRPC for Python calls a handler of one request on a thread that waits until the request has arrived. Here a handler is
called before, as one of a stream of requests, and waits on a thread that is there for nothing else. A request that has
not arrived in time is cancelled.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

RECEIVE_SECONDS = 60.0
"""Most seconds from the call of a method until its request has arrived."""
RECEIVE_THREADS = 1024
"""Most requests that arrive at the same time; further ones wait unread."""


class ReceiveDeadlines:
    """Thread that cancels the calls whose requests have not arrived in time.

    Args:
        seconds: Most seconds that a request may take to arrive.
    """

    def __init__(self, seconds: float = RECEIVE_SECONDS):
        self._seconds = seconds
        self._ends: dict[grpc.ServicerContext, float] = {}
        self._stopping = threading.Event()

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._run, name="receive-deadlines", daemon=True).start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def receive(self, requests: Any, context: grpc.ServicerContext) -> Any:
        """Waits for the only request of a call.

        Args:
            requests: Iterator of the requests.
            context: Context of the call.

        Returns:
            The request. It is not returned if the client cancels the call, or sends none.
        """
        self._ends[context] = time.monotonic() + self._seconds
        try:
            return next(requests)
        except StopIteration:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "method requires exactly one request message.")
        finally:
            del self._ends[context]

    def _run(self) -> None:
        while not self._stopping.wait(min(1.0, self._seconds / 4)):
            now = time.monotonic()
            for context, end in list(self._ends.items()):
                if end < now:
                    context.cancel()


class SeparateReceipt(grpc.ServerInterceptor):
    """Interceptor that receives the only request of a method with `ReceiveDeadlines`, before it calls the method.

    Args:
        deadlines: Receives the requests.
    """

    def __init__(self, deadlines: ReceiveDeadlines):
        self._deadlines = deadlines

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of a method, one of a stream of requests in place of one of a single request."""
        handler = continuation(handler_call_details)
        if handler is None or handler.request_streaming or handler.response_streaming:
            return handler
        method = handler.unary_unary

        def receive(requests: Any, context: grpc.ServicerContext) -> Any:
            return method(self._deadlines.receive(requests, context), context)

        pool = getattr(method, "experimental_thread_pool", None)
        if pool is not None:
            receive.experimental_thread_pool = pool  # type: ignore[attr-defined]
        return grpc.stream_unary_rpc_method_handler(receive, handler.request_deserializer, handler.response_serializer)
