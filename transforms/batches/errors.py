"""Errors of a raw log that its owner can correct: the message names the file, and what is expected and received."""

import difflib
from collections.abc import Sequence

_SHOWN_NAMES = 20


class LogError(ValueError):
    """Error of a raw log, or of the settings that describe it."""


class MissingColumnError(LogError):
    """Error of a file that lacks a column of the dataset."""


class ColumnTypeError(LogError):
    """Error of a column whose type does not support its use in the dataset."""


def check_columns(path: str, names: Sequence[str], columns: Sequence[str], hint: str = "") -> None:
    """Checks that a file has columns, each of them once.

    Args:
        path: Path of the file.
        names: Names of the file's columns.
        columns: Names of the columns that it should have.
        hint: Sentence that the message of a missing column ends with.

    Raises:
        MissingColumnError: If a column is missing; the message lists similar names.
        LogError: If two columns have one name.
    """
    missing = [name for name in columns if name not in names]
    if missing:
        expected = f"should have the {_plural('column', missing)} {', '.join(missing)}"
        message = f"{path}: {expected}. Received: {format_names(names)}."
        similar = [f"{guess} for {name}" for name in missing for guess in difflib.get_close_matches(name, names, 1)]
        if similar:
            message += f" Similar names: {', '.join(similar)}."
        raise MissingColumnError(f"{message} {hint}".rstrip())
    repeated = sorted({name for name in columns if list(names).count(name) > 1})
    if repeated:
        raise LogError(f"{path}: should name each column once. Received twice: {', '.join(repeated)}")


def format_names(names: Sequence[str]) -> str:
    """Returns names for a message, the first 20 of them.

    Args:
        names: Names of columns.
    """
    shown = ", ".join(name or "''" for name in names[:_SHOWN_NAMES])
    return f"{shown}, and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else shown or "no column"


def _plural(noun: str, items: Sequence[str]) -> str:
    return noun if len(items) == 1 else f"{noun}s"
