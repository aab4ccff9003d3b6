"""Results of commands as plain data for JSON."""

import dataclasses
import datetime
import math
import os
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Returns a value as JSON holds it, with all digits of numbers, and None for NaN and infinity.

    Args:
        value: Nested mappings, sequences, sets, dataclasses, paths, dates, arrays and numbers, also those of NumPy.

    Raises:
        TypeError: If JSON has nothing for a value.

    Example:
        >>> from pipelines.output.plain import plain
        >>> plain({"auc": float("nan"), "rows": (1, 2)})
        {'auc': None, 'rows': [1, 2]}
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "tolist"):  # An array or a scalar of NumPy, which this module does not import.
        return plain(value.tolist())
    raise TypeError(f"`value` should be plain data. Received: {type(value).__name__}")
