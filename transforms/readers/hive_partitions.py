"""Columns that are encoded in the names of a file's folders, as Hive and Spark write them."""

import posixpath
import urllib.parse

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def folder_columns(path: str, root: str) -> dict[str, str | None]:
    """Parses folder names of the form `name=value`, such as `day=2026-11-18`; special characters are percent-encoded.

    Args:
        path: Path of a file.
        root: Folder of the log. Only the names of folders below it are columns.

    Returns:
        The value of each column, None where it is missing. The innermost folder counts if several have one name.
    """
    folder, root = posixpath.dirname(path), root.rstrip("/")
    if not folder.startswith(f"{root}/"):
        return {}
    pairs = [part.partition("=") for part in folder.removeprefix(root).split("/")]
    values = {name: urllib.parse.unquote(value) for name, equals, value in pairs if equals}
    return {name: None if value in ("", _MISSING) else value for name, value in values.items()}
