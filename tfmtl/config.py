"""Strict loading of YAML into frozen dataclasses; an error names the file, the line and the field.

The type annotations of a dataclass are its schema: unknown and missing fields, wrong types and values that the
dataclass itself refuses (a `ValueError` from `__post_init__`) all become a `ConfigError`.
"""

import collections.abc
import dataclasses
import difflib
import pathlib
import re
import types
import typing
import warnings
from typing import Any

import yaml

Path = tuple[str | int, ...]


class ConfigError(ValueError):
    """A configuration is wrong. The message reads `file:line: field: what is wrong. Received: value`."""


class RenamedWarning(FutureWarning):
    """A field or a value has a new name; the old one is still accepted."""


@dataclasses.dataclass(frozen=True)
class Document:
    """Plain data read from YAML, and the line on which each field stands.

    Attributes:
        data: nested dicts, lists and scalars.
        source: what the text is called in errors, usually its path.
        lines: 1-based line of each field, by its path.
        sources: what the text of a section is called, by the section's name, where it is another.
    """

    data: Any
    source: str = ""
    lines: dict[Path, int] = dataclasses.field(default_factory=dict)
    sources: dict[str, str] = dataclasses.field(default_factory=dict)

    def without(self, section: str) -> "Document":
        """The same document less one of its sections."""
        return dataclasses.replace(self, data={name: value for name, value in self.data.items() if name != section})

    def error(self, path: Path, message: str) -> ConfigError:
        """The error `message` about the field at `path`, with the nearest line that is known."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known)
        source = self.sources.get(str(path[0]), self.source) if path else self.source
        where = [part for part in (source, str(line) if line else "") if part]
        return ConfigError(": ".join([*([":".join(where)] if where else []), _dotted(path), message]))


def read_yaml(path: str | pathlib.Path) -> Document:
    """Reads a YAML file. Raises `ConfigError` if it is absent or is not YAML."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: should be a readable YAML file. Received: {problem}") from error
    return parse_yaml(text, str(path))


def overlay(top: Document, below: Document) -> Document:
    """A document with the sections of `top`, and those of `below` that `top` has not."""
    added = [name for name in below.data if name not in top.data]
    lines = {path: line for path, line in below.lines.items() if path and path[0] in added}
    sources = {name: below.sources.get(name, below.source) for name in added}
    return Document(
        {**{name: below.data[name] for name in added}, **top.data},
        top.source,
        {**lines, **top.lines},
        {**sources, **top.sources},
    )


class _Loader(yaml.SafeLoader):
    """Leaves a date as the text that is written, and takes 1e-3 for a number, as people do, though not YAML 1.1."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    """Puts a text in quotes where `_Loader` would take it for a number."""


for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )


def dump_yaml(data: Any) -> str:
    """YAML text of plain data, such as `parse_yaml` reads."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False)


def parse_yaml(text: str, source: str = "") -> Document:
    """Parses YAML text, keeping the line of every field. Raises `ConfigError` where it is not YAML."""
    lines: dict[Path, int] = {}
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _record_lines(root, (), lines, source)
        data = loader.construct_document(root) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}: should be valid YAML. Received: {problem}") from error
    return Document(data, source, lines)


def _record_lines(node: yaml.Node, path: Path, lines: dict[Path, int], source: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # Not hashable, which the loader refuses.
            if key.value in seen:
                where = f"{source}:{key.start_mark.line + 1}"
                raise ConfigError(f"{where}: should name a field once. Received: {key.value}")
            seen.add(key.value)
            lines[(*path, key.value)] = key.start_mark.line + 1
            _record_lines(value, (*path, key.value), lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _record_lines(value, (*path, index), lines, source)


def build(kind: Any, document: Document, path: Path = ()) -> Any:
    """The value of type `kind` (a dataclass, usually) that `document` holds at `path`.

    Raises:
        ConfigError: naming the line and the field, if a field is unknown, missing, of a wrong type or refused.
    """
    value = document.data
    for part in path:
        value = value[part]
    return _build(kind, value, path, document)


def to_plain(value: Any) -> Any:
    """The nested dicts, lists and scalars of a dataclass. Fields that have their default value are left out."""
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


def _default(field: dataclasses.Field) -> Any:
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
        raise document.error(path, f"should be {_WORDS.get(kind, kind.__name__)}. Received: {value!r}")
    return value


_WORDS: dict[Any, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _build_union(kinds: tuple, value: Any, path: Path, document: Document) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    tagged = {_tag(kind): kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    if not tagged:
        for kind in kinds:
            try:
                return _build(kind, value, path, document)
            except ConfigError:
                continue
        words = " or ".join(_WORDS.get(kind, str(kind)) for kind in kinds)
        raise document.error(path, f"should be {words}. Received: {value!r}")
    if len(tagged) == 1 and None in tagged:
        return _build(tagged[None], value, path, document)
    if not isinstance(value, dict):
        raise document.error(path, f"should be a mapping with a `kind`. Received: {value!r}")
    tag = value.get("kind")
    if tag not in list(tagged):  # A tag from YAML need not be hashable.
        raise document.error((*path, "kind"), f"should be one of {', '.join(map(str, tagged))}. Received: {tag!r}")
    return _build(tagged[tag], value, path, document)


def _tag(kind: type) -> str | None:
    """The value of a dataclass's `kind` field, which tells the members of a union apart."""
    annotation = typing.get_type_hints(kind).get("kind")
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Literal else None


def _build_dataclass(kind: type, value: Any, path: Path, document: Document) -> Any:
    if dataclasses.is_dataclass(value) and isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise document.error(path, f"should be a mapping. Received: {value!r}")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    value = _with_new_names(kind, value, path, document)
    for name in value:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else f" Known fields: {', '.join(fields)}."
            raise document.error((*path, str(name)), f"should be a field of {kind.__name__}.{hint}")
    missing = [name for name, field in fields.items() if name not in value and _default(field) is dataclasses.MISSING]
    if missing:
        raise document.error((*path, missing[0]), f"should be given: {kind.__name__} requires it")
    built = {name: _build(hints[name], entry, (*path, name), document) for name, entry in value.items()}
    try:
        return kind(**built)
    except FieldError as error:
        raise document.error((*path, *error.path), error.message) from error


def _with_new_names(kind: type, value: dict, path: Path, document: Document) -> dict:
    """`value` with the present names of fields and values that were renamed; warns about each old one.

    A dataclass lists its former names in the class variables `renamed_fields`, `{old: new}`, and `renamed_values`,
    `{field: {old: new}}`.
    """
    fields: collections.abc.Mapping[str, str] = getattr(kind, "renamed_fields", {})
    values: collections.abc.Mapping[str, collections.abc.Mapping[str, str]] = getattr(kind, "renamed_values", {})
    renamed = {}
    for name, entry in value.items():
        new_name = fields.get(name, name)
        if new_name != name:
            if new_name in value:
                raise document.error((*path, name), f"should be left out beside `{new_name}`, its new name")
            _warn_renamed(document, (*path, name), f"`{name}` is now called `{new_name}`; write `{new_name}`")
        new_entry = values.get(new_name, {}).get(entry, entry) if isinstance(entry, str) else entry
        if new_entry != entry:
            _warn_renamed(document, (*path, name), f"`{entry}` is now called `{new_entry}`; write `{new_entry}`")
        renamed[new_name] = new_entry
    return renamed


def _warn_renamed(document: Document, path: Path, message: str) -> None:
    warnings.warn(str(document.error(path, message)), RenamedWarning, stacklevel=2)


class FieldError(ValueError):
    """Raised by a dataclass's `__post_init__` about one of its fields.

    Args:
        path: the field, or the way down to it: `("features", 3, "name")`.
        message: `should be ... Received: ...`.
    """

    def __init__(self, path: str | Path, message: str):
        self.path: Path = (path,) if isinstance(path, str) else path
        self.message = message
        super().__init__(f"{_dotted(self.path)}: {message}")


def _dotted(path: Path) -> str:
    """`("features", 3, "name")` as `features[3].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "document"


def require(condition: bool, path: str | Path, expected: str, received: Any) -> None:
    """Raises `FieldError` with "should be `expected`. Received: `received`" unless `condition` holds."""
    if not condition:
        raise FieldError(path, f"should be {expected}. Received: {received!r}")
