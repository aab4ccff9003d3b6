"""Errors about the fields of a configuration."""

from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Path of a field in nested data: `("features", 3, "name")` is the field `features[3].name`."""


class ConfigError(ValueError):
    """A mistake in a configuration.

    The message reads `file:line: field: should be ... Received: value`. File and line are omitted where they are
    unknown.

    Example:
        >>> from tfmtl.config import ConfigError
        >>> from tfmtl.spec import DatasetSpec
        >>> try:
        ...     DatasetSpec.from_yaml("name: 3", source="shop.yaml")
        ... except ConfigError as error:
        ...     print(error)
        shop.yaml:1: features: should be given: DatasetSpec requires it
    """


class FieldError(ValueError):
    """A mistake in one field of a dataclass, raised by its `__post_init__`.

    `tfmtl.config.build` turns it into a `ConfigError` that also names the file and the line.

    Args:
        path: Name of the field, or path of a nested field such as `("features", 3, "name")`.
        message: Description of the mistake, of the form "should be ... Received: ...".

    Example:
        >>> from tfmtl.config import FieldError
        >>> print(FieldError(("features", 3, "name"), "should be a string. Received: 7"))
        features[3].name: should be a string. Received: 7
    """

    def __init__(self, path: str | Path, message: str):
        self.path: Path = (path,) if isinstance(path, str) else path
        self.message = message
        super().__init__(f"{dotted(self.path)}: {message}")


def require(condition: bool, path: str | Path, expected: str, received: Any) -> None:
    """Raises a `FieldError` unless a condition holds.

    Args:
        condition: Result of the check.
        path: Name of the field, or path of a nested field.
        expected: Description of a valid value; the message reads "should be `expected`".
        received: The value that was checked.

    Raises:
        FieldError: If `condition` is false.

    Example:
        >>> import dataclasses
        >>> from tfmtl.config import require
        >>> @dataclasses.dataclass(frozen=True)
        ... class Circle:
        ...     radius: float
        ...     def __post_init__(self):
        ...         require(self.radius > 0, "radius", "above 0", self.radius)
        >>> Circle(-1.0)
        Traceback (most recent call last):
            ...
        tfmtl.config.errors.FieldError: radius: should be above 0. Received: -1.0
    """
    if not condition:
        raise FieldError(path, f"should be {expected}. Received: {received!r}")


def dotted(path: Path) -> str:
    """Formats a path for a message: `("features", 3, "name")` as `features[3].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "document"
