"""Former names of fields and values, which configurations may still contain."""

import warnings
from collections.abc import Mapping
from typing import Any

from tfmtl.config.document import Document
from tfmtl.config.errors import Path


class RenamedWarning(FutureWarning):
    """A configuration contains the former name of a field or value; the present name should be written instead.

    Example:
        >>> import dataclasses, warnings
        >>> from tfmtl.config import build, parse_yaml
        >>> @dataclasses.dataclass(frozen=True)
        ... class Circle:
        ...     renamed_fields = {"size": "radius"}
        ...     radius: float
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     build(Circle, parse_yaml("size: 2", "circle.yaml"))
        Circle(radius=2.0)
        >>> print(caught[0].message)
        circle.yaml:1: size: was renamed; write `radius` instead
    """


def present_names(kind: type, value: Mapping[Any, Any], path: Path, document: Document) -> dict[Any, tuple[Any, Any]]:
    """Replaces the former names of fields and values by their present ones, with a `RenamedWarning` for each.

    A dataclass lists its former names in two class variables: `renamed_fields`, a mapping from former to present field
    names, and `renamed_values`, a mapping from present field names to mappings from former to present values.

    Args:
        kind: The dataclass.
        value: Plain data of the dataclass, by field name.
        path: Path of `value` in the document.
        document: The document that contains `value`.

    Returns:
        For each field by its present name, the name that is written and the value with its present name.

    Raises:
        ConfigError: If a field is given by its former and by its present name.
    """
    field_names: Mapping[str, str] = getattr(kind, "renamed_fields", {})
    field_values: Mapping[str, Mapping[str, str]] = getattr(kind, "renamed_values", {})
    renamed: dict[Any, tuple[Any, Any]] = {}
    for name, entry in value.items():
        present_name = field_names.get(name, name)
        if present_name != name:
            if present_name in value:
                message = f"should be removed: `{present_name}`, its present name, is given as well"
                raise document.error((*path, name), message)
            _warn(document, (*path, name), f"was renamed; write `{present_name}` instead")
        present_entry = field_values.get(present_name, {}).get(entry, entry) if isinstance(entry, str) else entry
        if present_entry != entry:
            _warn(document, (*path, name), f"the value `{entry}` was renamed; write `{present_entry}` instead")
        renamed[present_name] = (name, present_entry)
    return renamed


def _warn(document: Document, path: Path, message: str) -> None:
    warnings.warn(str(document.error(path, message)), RenamedWarning, stacklevel=2)
