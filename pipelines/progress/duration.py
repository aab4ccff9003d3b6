"""Durations in words."""


def duration(seconds: float) -> str:
    """Formats a duration as `42 s`, `12 min` or `3.4 h`.

    Args:
        seconds: Duration in seconds.

    Example:
        >>> from pipelines.progress.duration import duration
        >>> duration(42.4), duration(720), duration(12_240)
        ('42 s', '12 min', '3.4 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"
