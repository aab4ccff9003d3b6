"""Conversion between plain data and dataclasses, with the type annotations as the schema."""

import collections.abc
import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tfmtl.config.document import Document
from tfmtl.config.errors import ConfigError, FieldError, Path
from tfmtl.config.renaming import present_names

Kind = TypeVar("Kind")


@typing.overload
def build(kind: type[Kind], document: Document, path: Path = ()) -> Kind: ...
@typing.overload
def build(kind: Any, document: Document, path: Path = ()) -> Any: ...
def build(kind: Any, document: Document, path: Path = ()) -> Any:
    """Builds a value from the plain data of a document.

    Fields may be annotated with dataclasses, scalars, `Any`, `Literal`, `tuple[T, ...]` (a list in YAML),
    `Mapping[str, T]` and unions. The members of a union of dataclasses are distinguished by their field `kind`, which
    is a `Literal` of one value. In a union of dataclasses and scalars, a mapping is a dataclass.

    Args:
        kind: Type of the value, usually a dataclass.
        document: Document that contains the plain data.
        path: Path of the plain data in the document; the whole document by default.

    Returns:
        The value of type `kind`.

    Raises:
        ConfigError: If a field is unknown, missing, of a wrong type, or rejected by the dataclass.

    Example:
        >>> import dataclasses
        >>> from tfmtl.config import build, parse_yaml
        >>> @dataclasses.dataclass(frozen=True)
        ... class Circle:
        ...     radius: float
        ...     colours: tuple[str, ...] = ()
        >>> build(Circle, parse_yaml("{radius: 2, colours: [red, blue]}"))
        Circle(radius=2.0, colours=('red', 'blue'))
        >>> build(Circle, parse_yaml("radios: 2", "circle.yaml"))
        Traceback (most recent call last):
            ...
        tfmtl.config.errors.ConfigError: circle.yaml:1: radios: should be a field of Circle. Did you mean `radius`?
    """
    value = document.data
    for part in path:
        value = value[part]
    return _build(kind, value, path, document)


def to_plain(value: Any) -> Any:
    """Converts a dataclass to plain data that `build` reads.

    Args:
        value: A dataclass, or a mapping, list or tuple of values.

    Returns:
        Nested dicts, lists and scalars. Fields that have their default value are omitted, except `kind`.

    Example:
        >>> import dataclasses
        >>> from tfmtl.config import to_plain
        >>> @dataclasses.dataclass(frozen=True)
        ... class Circle:
        ...     radius: float
        ...     colours: tuple[str, ...] = ()
        >>> to_plain(Circle(2.0))
        {'radius': 2.0}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {}
        for field in dataclasses.fields(value):
            entry = getattr(value, field.name)
            if field.name == "kind" or entry != _default(field):
                plain[field.name] = to_plain(entry)
        return plain
    if isinstance(value, collections.abc.Mapping):
        return {key: to_plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(entry) for entry in value]
    return value


def defaults_of(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the default values of the fields of a dataclass that are not given, as plain data.

    Args:
        kind: The dataclass.
        given: Values by name of the field.

    Example:
        >>> import dataclasses
        >>> from tfmtl.config import defaults_of
        >>> @dataclasses.dataclass(frozen=True)
        ... class Circle:
        ...     radius: float
        ...     colours: tuple[str, ...] = ("red",)
        >>> defaults_of(Circle, {"radius": 2.0})
        {'colours': ['red']}
    """
    missing = [field for field in dataclasses.fields(kind) if field.name not in given]
    defaults = {field.name: _default(field) for field in missing}
    return {name: to_plain(value) for name, value in defaults.items() if value is not dataclasses.MISSING}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _build(kind: Any, value: Any, path: Path, document: Document) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path, document)
    if origin in (typing.Union, types.UnionType):
        return _build_union(arguments, value, path, document)
    if origin is typing.Literal:
        if value not in arguments:
            raise document.error(path, f"should be one of {', '.join(map(str, arguments))}. Received: {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise document.error(path, f"should be a list. Received: {value!r}")
        return tuple(_build(arguments[0], entry, (*path, i), document) for i, entry in enumerate(value))
    if origin is collections.abc.Mapping:
        if not isinstance(value, dict):
            raise document.error(path, f"should be a mapping. Received: {value!r}")
        for key in value:
            _build(arguments[0], key, (*path, str(key)), document)
        return {key: _build(arguments[1], entry, (*path, key), document) for key, entry in value.items()}
    return _build_scalar(kind, value, path, document)


def _build_scalar(kind: type, value: Any, path: Path, document: Document) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise document.error(path, f"should be {_DESCRIPTIONS.get(kind, kind.__name__)}. Received: {value!r}")
    return value


_DESCRIPTIONS: dict[Any, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean (true or false)",
    type(None): "null",
}


def _build_union(kinds: tuple[Any, ...], value: Any, path: Path, document: Document) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    tagged = {_tag(kind): kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    scalars = tuple(kind for kind in kinds if kind not in tagged.values())
    if tagged and scalars and not isinstance(value, (dict, *tagged.values())):
        return _build_union(scalars, value, path, document)
    if not tagged:
        for kind in kinds:
            try:
                return _build(kind, value, path, document)
            except ConfigError:
                continue
        expected = " or ".join(_DESCRIPTIONS.get(kind, str(kind)) for kind in kinds)
        raise document.error(path, f"should be {expected}. Received: {value!r}")
    if len(tagged) == 1 and None in tagged:
        return _build(tagged[None], value, path, document)
    if not isinstance(value, dict):
        raise document.error(path, f"should be a mapping with a `kind`. Received: {value!r}")
    tag = value.get("kind")
    if tag not in list(tagged):  # A tag from YAML need not be hashable.
        raise document.error((*path, "kind"), f"should be one of {', '.join(map(str, tagged))}. Received: {tag!r}")
    return _build(tagged[tag], value, path, document)


def _tag(kind: type) -> str | None:
    """Returns the value of a dataclass's field `kind`, which distinguishes the members of a union."""
    annotation = typing.get_type_hints(kind).get("kind")
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Literal else None


def _build_dataclass(kind: type, value: Any, path: Path, document: Document) -> Any:
    if dataclasses.is_dataclass(value) and isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise document.error(path, f"should be a mapping. Received: {value!r}")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    entries = present_names(kind, value, path, document)
    for name in entries:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else f" Known fields: {', '.join(fields)}."
            raise document.error((*path, str(name)), f"should be a field of {kind.__name__}.{hint}")
    missing = [name for name, field in fields.items() if name not in entries and _default(field) is dataclasses.MISSING]
    if missing:
        raise document.error((*path, missing[0]), f"should be given: {kind.__name__} requires it")
    built = {
        name: _build(hints[name], entry, (*path, written_name), document)
        for name, (written_name, entry) in entries.items()
    }
    try:
        return kind(**built)
    except FieldError as error:
        name, *rest = error.path
        written_name = entries[name][0] if name in entries else name
        raise document.error((*path, written_name, *rest), error.message) from error
