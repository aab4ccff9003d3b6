"""Echo server: the floor of the latency of a gRPC server in Python.

`python -m benchmarks.serving.echo RESPONSE_BYTES` prints its address and answers every request with as many bytes,
until its standard input ends.
"""

import sys
from concurrent import futures

import grpc

from serving.tensors import MAX_BYTES

METHOD = "/benchmarks.Echo/Call"


class _Echo(grpc.GenericRpcHandler):
    def __init__(self, response: bytes):
        self._handler = grpc.unary_unary_rpc_method_handler(lambda request, context: response)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return self._handler


def main() -> None:
    """Serves until the standard input ends."""
    options = [("grpc.max_receive_message_length", MAX_BYTES), ("grpc.max_send_message_length", MAX_BYTES)]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
    server.add_generic_rpc_handlers((_Echo(b"x" * int(sys.argv[1])),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
