"""Limits of the embedded server."""

import dataclasses
import os

from serving.tensors import MAX_BYTES

DEFAULT_MESSAGE_BYTES = 64 * 2**20
DEFAULT_QUEUE = 128

_THREADS_PER_CORE = 4
_DECODED_PER_MESSAGE = 2
_REPEATED_BYTES = 2**20
_REPEATED_PER_MESSAGE = 4


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of requests; one that exceeds a limit is answered with RESOURCE_EXHAUSTED.

    Args:
        max_message_bytes: Maximum size of a request in bytes. The tensors decoded from one request take at most twice
            as much memory.
        max_batch: Maximum number of rows in a request: the first dimension of its inputs, or its tf.Examples. None
            sets no limit.
        max_concurrency: Maximum number of requests that run at the same time; others wait. Defaults to four for each
            core.
        max_queue: Maximum number of requests that wait. Metadata, status and health are answered while they do.

    Raises:
        ValueError: If a limit is out of range.
    """

    max_message_bytes: int = DEFAULT_MESSAGE_BYTES
    max_batch: int | None = None
    max_concurrency: int | None = None
    max_queue: int = DEFAULT_QUEUE

    def __post_init__(self) -> None:
        if not 1 <= self.max_message_bytes <= MAX_BYTES:
            expected = f"max_message_bytes should be from 1 to {MAX_BYTES}"
            raise ValueError(f"{expected}. Received: {self.max_message_bytes}")
        for name, least in (("max_batch", 1), ("max_concurrency", 1), ("max_queue", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} should be at least {least}. Received: {value}")

    @property
    def threads(self) -> int:
        """Number of requests that run at the same time."""
        return self.max_concurrency or _THREADS_PER_CORE * (os.cpu_count() or 1)

    @property
    def max_decoded_bytes(self) -> int:
        """Maximum memory of the tensors of a request."""
        return _DECODED_PER_MESSAGE * self.max_message_bytes

    def max_repeated_bytes(self, sent_bytes: int) -> int:
        """Returns the maximum memory of a tensor whose last value is repeated up to its shape.

        It depends on the size of the tensor's message, so that a short message cannot ask for much memory or time.
        """
        return max(_REPEATED_BYTES, _REPEATED_PER_MESSAGE * sent_bytes)
