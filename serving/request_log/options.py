"""Options of the request log."""

import dataclasses
import pathlib

DEFAULT_SAMPLING_RATE = 0.01
DEFAULT_TOTAL_BYTES = 2**30

_LEAST_TOTAL_BYTES = 2**20
_FILE_BYTES = 64 * 2**20
_FILES = 4
"""Least number of files that the total is divided into, so that the removal of the oldest one keeps most of it."""


@dataclasses.dataclass(frozen=True)
class RequestLogOptions:
    """Options of the request log.

    Args:
        folder: Folder of the files, which one server at a time may use. It is created.
        sampling_rate: Probability with which a request that is answered with OK is logged, above 0 and up to 1.
        max_bytes: Maximum size of all files; the oldest ones are removed. A file has at most 64 MiB, or a quarter
            of the total.

    Raises:
        ValueError: If an option is out of range.
    """

    folder: str | pathlib.Path
    sampling_rate: float = DEFAULT_SAMPLING_RATE
    max_bytes: int = DEFAULT_TOTAL_BYTES

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate <= 1:
            raise ValueError(f"sampling_rate should be above 0 and at most 1. Received: {self.sampling_rate:g}")
        if self.max_bytes < _LEAST_TOTAL_BYTES:
            expected = f"max_bytes should be at least {_LEAST_TOTAL_BYTES}"
            raise ValueError(f"{expected}. Received: {self.max_bytes}")

    @property
    def max_file_bytes(self) -> int:
        """Maximum size of a file."""
        return min(_FILE_BYTES, self.max_bytes // _FILES)
