"""Memory of large requests, which a server returns to the system while it answers."""

import ctypes
from collections.abc import Callable

from serving.tensors import LARGE_BYTES


def _find_trim() -> Callable[[int], int] | None:
    """Returns `malloc_trim` of the C library; None where it has none, as on macOS and with musl."""
    try:
        trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):
        return None
    return trim


_trim = _find_trim()


def return_unused(request_bytes: int) -> None:
    """Returns memory that is free to the system, if a request is large enough to be worth the milliseconds.

    gRPC receives a request in many small pieces, on different threads. glibc keeps the memory of these pieces for
    further ones of the same thread, so that after some large requests it holds several times their size.

    Args:
        request_bytes: Size of a request that has arrived.
    """
    if _trim is not None and request_bytes >= LARGE_BYTES:
        _trim(0)
