"""Errors of requests as gRPC status codes with a text."""

import grpc

# TensorFlow Serving truncates longer texts, so that they fit into HTTP/2 trailers.
MAX_DETAILS = 1024


class StatusError(Exception):
    """Error of a request that cannot be answered. It can be pickled, as can the errors derived from it.

    Attributes:
        code: gRPC status code.
        details: Whole text of the status.
    """

    def __init__(self, code: grpc.StatusCode, details: str):
        super().__init__(code, details)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        return f"{self.code.name}: {self.details}"

    @property
    def wire_details(self) -> str:
        """`details` in UTF-8, truncated to `MAX_DETAILS` bytes and `...TRUNCATED` if it is longer."""
        encoded = self.details.encode(errors="backslashreplace")
        if len(encoded) <= MAX_DETAILS:
            return encoded.decode()
        return encoded[:MAX_DETAILS].decode(errors="ignore") + "...TRUNCATED"


class PredictionError(StatusError):
    """Error of a request that the server refused, failed or did not answer in time.

    Attributes:
        code: gRPC status code.
        details: Text of the status.
        row: Index of the row that is invalid; None where it is not known.
        feature: Name of the feature that is invalid; None where it is not known.
    """

    def __init__(self, code: grpc.StatusCode, details: str, row: int | None = None, feature: str | None = None):
        super().__init__(code, details)
        self.args = (code, details, row, feature)
        self.row = row
        self.feature = feature


class RowError(PredictionError, ValueError):
    """Error of rows that cannot be sent: a name, a type or a value is not that of a feature.

    Its code is INVALID_ARGUMENT, and its text is `details`.
    """

    def __init__(self, details: str, row: int | None = None, feature: str | None = None):
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, details, row, feature)
        self.args = (details, row, feature)

    def __str__(self) -> str:
        return self.details


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
