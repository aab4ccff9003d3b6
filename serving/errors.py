"""The error of a request, as gRPC carries it: a status code and a text."""

import grpc

# TensorFlow Serving cuts longer texts, so that they fit into HTTP/2 trailers.
MAX_DETAILS = 1024


class StatusError(Exception):
    """A request cannot be answered.

    Attributes:
        code: the gRPC status code.
        details: the text, uncut.
    """

    def __init__(self, code: grpc.StatusCode, details: str):
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details

    @property
    def wire_details(self) -> str:
        """`details`; what is longer than `MAX_DETAILS` bytes is cut and ends in `...TRUNCATED`."""
        encoded = self.details.encode()
        if len(encoded) <= MAX_DETAILS:
            return self.details
        return encoded[:MAX_DETAILS].decode(errors="ignore") + "...TRUNCATED"


def invalid_argument(details: str) -> StatusError:
    """The error of a request that is wrong whatever the state of the server."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, details)


def not_found(details: str) -> StatusError:
    """The error of a request for a model or a version that is not served."""
    return StatusError(grpc.StatusCode.NOT_FOUND, details)
