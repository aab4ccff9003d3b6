"""Errors of requests as gRPC status codes with a text."""

import grpc

# TensorFlow Serving truncates longer texts, so that they fit into HTTP/2 trailers.
MAX_DETAILS = 1024


class StatusError(Exception):
    """Error of a request that cannot be answered.

    Attributes:
        code: gRPC status code.
        details: Whole text of the status.
    """

    def __init__(self, code: grpc.StatusCode, details: str):
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details

    def __reduce__(self) -> tuple:
        return type(self), (self.code, self.details)

    @property
    def wire_details(self) -> str:
        """`details` in UTF-8, truncated to `MAX_DETAILS` bytes and `...TRUNCATED` if it is longer."""
        encoded = self.details.encode(errors="backslashreplace")
        if len(encoded) <= MAX_DETAILS:
            return encoded.decode()
        return encoded[:MAX_DETAILS].decode(errors="ignore") + "...TRUNCATED"


def invalid_argument(details: str) -> StatusError:
    """Returns the error of a request that is invalid whatever the state of the server."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, details)


def not_found(details: str) -> StatusError:
    """Returns the error of a request for a model or a version that is not served."""
    return StatusError(grpc.StatusCode.NOT_FOUND, details)


def resource_exhausted(details: str) -> StatusError:
    """Returns the error of a request that exceeds a limit, or the memory of the server."""
    return StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, details)


def unexpected(error: Exception) -> StatusError:
    """Returns the error of a request that fails for no fault of its own: its code is INTERNAL, its text one line."""
    if isinstance(error, MemoryError):
        return resource_exhausted("the request needs more memory than the server has")
    lines = str(error).splitlines() or [""]
    return StatusError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {lines[0]}")
