"""Columns that are encoded in the names of a file's folders, as Hive and Spark write them."""

import posixpath
import urllib.parse

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def folder_columns(path: str) -> dict[str, str | None]:
    """Parses folder names of the form `name=value`, such as `day=2026-11-18`; special characters are percent-encoded.

    Args:
        path: Path of a file.

    Returns:
        The value of each column, None where it is missing. The innermost folder counts if several have one name.
    """
    pairs = [part.partition("=") for part in posixpath.dirname(path).split("/")]
    values = {name: urllib.parse.unquote(value) for name, equals, value in pairs if equals}
    return {name: None if value in ("", _MISSING) else value for name, value in values.items()}
