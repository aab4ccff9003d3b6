"""End of a server without a failed request: those that were sent before finish, later ones are refused.

`grpc.Server.stop` alone cancels the requests that have arrived and that Python has not yet accepted. Under load there
are some, and their clients receive CANCELLED, which does not tell them to try again elsewhere. With the gate, only a
request that arrives at the very end, when no other runs any more, may receive it.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import grpc


class Gate(grpc.ServerInterceptor):
    """Interceptor that answers UNAVAILABLE to each request after it is closed."""

    def __init__(self) -> None:
        self._closed = False
        self._refusal = grpc.stream_unary_rpc_method_handler(_refuse)  # is called before a request is read

    def close(self) -> None:
        """Refuses requests from now on."""
        self._closed = True

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of a method, or one that answers UNAVAILABLE."""
        return self._refusal if self._closed else continuation(handler_call_details)


def _refuse(_: Any, context: grpc.ServicerContext) -> NoReturn:
    context.abort(grpc.StatusCode.UNAVAILABLE, "The server is stopping.")
    raise AssertionError("abort raises an error")
