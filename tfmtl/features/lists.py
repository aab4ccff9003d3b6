"""Options that features of several values per row have in common."""

from typing import Any

from tfmtl.config import require


def check_length(feature: Any) -> None:
    """Checks the options of a list of values.

    Args:
        feature: Feature of several values per row.

    Raises:
        FieldError: If an option is wrong; the error names it.
    """
    require(feature.max_length >= 1, "max_length", "at least 1", feature.max_length)
    require(bool(feature.separator), "separator", "at least one character", feature.separator)
