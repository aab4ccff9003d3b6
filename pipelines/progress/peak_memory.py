"""Peak memory of this process while a step runs."""

import contextlib
import pathlib

_STATUS = pathlib.Path("/proc/self/status")
_RESET = pathlib.Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Sets the peak memory of this process to its present memory, where the operating system is Linux."""
    with contextlib.suppress(OSError):
        _RESET.write_text("5", encoding="ascii")


def peak_memory_bytes() -> int | None:
    """Returns the largest resident memory of this process since `reset_peak_memory`; None if it is not known."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)


def format_gigabytes(size: int | None) -> str:
    """Formats a number of bytes as `1.2 GB`; empty for None.

    Args:
        size: Number of bytes.

    Example:
        >>> format_gigabytes(1_250_000_000)
        '1.2 GB'
    """
    return "" if size is None else f"{size / 1e9:.1f} GB"
