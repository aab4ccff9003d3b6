"""Columns that a file's folders name: the rows below `day=2026-11-18/` are of that day."""

import posixpath
import urllib.parse

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def folder_columns(path: str) -> dict[str, str | None]:
    """What the folders of a path say, as Hive and Spark write it: `name=value`, with `%3A` for a colon.

    Args:
        path: of a file.

    Returns:
        Values by name, None for a missing one. Of folders with one name the last counts.
    """
    pairs = [part.partition("=") for part in posixpath.dirname(path).split("/")]
    values = {name: urllib.parse.unquote(value) for name, is_column, value in pairs if is_column}
    return {name: None if value in ("", _MISSING) else value for name, value in values.items()}
