"""Dates in ISO format."""

import datetime


def is_date(text: object) -> bool:
    """Returns True if a value is a date in ISO format, such as 2026-11-18."""
    try:
        datetime.date.fromisoformat(str(text))
    except ValueError:
        return False
    return True
