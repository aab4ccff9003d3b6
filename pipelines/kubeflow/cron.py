"""Check of the cron expressions of Kubeflow Pipelines, which have seconds."""

import re

from tfmtl.config import ConfigError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_PART = re.compile(r"(?:[*?]|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?")


def check_cron(expression: str) -> str:
    """Returns a cron expression, checked, with one space between its fields.

    Kubeflow reads an expression of five fields as one without the last field, not as one without seconds.

    Args:
        expression: Second, minute, hour, day of the month, month and day of the week, separated by spaces.

    Raises:
        ConfigError: If it does not have six valid fields.

    Example:
        >>> from pipelines.kubeflow.cron import check_cron
        >>> check_cron("0 30 4  * * MON-FRI")
        '0 30 4 * * MON-FRI'
    """
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, *_ in _FIELDS)
        advice = f" The same with seconds is '0 {' '.join(fields)}'." if len(fields) == len(_FIELDS) - 1 else ""
        raise ConfigError(f"--cron should have six fields: {names}. Received: {expression!r}.{advice}")
    for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            if not _is_valid(part, low, high, words):
                expected = f"{low} to {high}{f' or {words[0]} to {words[-1]}' if words else ''}, *, a range or a step"
                raise ConfigError(f"--cron should have a {name} of {expected}. Received: {part!r} in {expression!r}")
    return " ".join(fields)


def _is_valid(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or (match["step"] is not None and int(match["step"]) == 0):
        return False
    ends = [_number(text, low, words) for text in (match["low"], match["high"]) if text is not None]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)


def _number(text: str, low: int, words: tuple[str, ...]) -> int:
    """Returns the number of a field's value; -1 for a word that is none."""
    if text.lower() in words:
        return words.index(text.lower()) + low
    return int(text) if text.isascii() and text.isdigit() else -1
