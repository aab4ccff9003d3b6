"""Sections of the settings: every field with its type, its default and its meaning, in the order of a file."""

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.settings import Settings
from pipelines.settings_reference.texts import flow, type_name
from tfmtl.models.options.descriptions import option_descriptions


@dataclasses.dataclass(frozen=True)
class Entry:
    """One field of a section.

    Attributes:
        name: Name of the field.
        type: Type, as a user of YAML would name it.
        default: Default value in one line of YAML; None if the field has to be given.
        meaning: Description of the field.
        sections: Paths of the sections that describe its value, if it is a mapping or has some.
    """

    name: str
    type: str
    default: str | None
    meaning: str
    sections: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Section:
    """One mapping of a settings file.

    Attributes:
        path: Where it stands: `training`, `spec.features[] (categorical)`, `thresholds.NAME`. A mapping that may stand
            in several places has one section, with the first of them.
        kind: Dataclass that holds the mapping.
        summary: First sentence of the dataclass's docstring.
        entries: Fields in the order of the dataclass.
    """

    path: str
    kind: type
    summary: str
    entries: tuple[Entry, ...]


def settings_sections(root: type = Settings) -> tuple[Section, ...]:
    """Returns the sections of a settings file, from the whole file to the innermost mappings.

    Args:
        root: Dataclass of the whole file.
    """
    paths: dict[type, str] = {root: ""}
    return tuple(_sections(root, paths))


def summary(kind: type) -> str:
    """Returns the first line of a dataclass's docstring.

    Args:
        kind: The dataclass.
    """
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def required(field: "dataclasses.Field[Any]") -> bool:
    """Returns whether a field of a dataclass has no default.

    Args:
        field: The field.
    """
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """Returns the default of a field that has one.

    Args:
        field: The field.
    """
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _sections(kind: type, paths: dict[type, str]) -> Iterator[Section]:
    hints, meanings = typing.get_type_hints(kind), option_descriptions(kind)
    entries, inner = [], []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        nested = dict(_nested(hint, f"{paths[kind].partition(' (')[0]}.{field.name}".lstrip(".")))
        new = {part: path for part, path in nested.items() if part not in paths}
        paths |= new
        inner += list(new)
        default = None if required(field) else flow(default_of(field))
        where = tuple(paths[part] for part in nested)
        entries.append(Entry(field.name, type_name(hint), default, meanings.get(field.name, ""), where))
    yield Section(paths[kind], kind, summary(kind), tuple(entries))
    for part in inner:
        yield from _sections(part, paths)


def _nested(hint: Any, path: str) -> Iterator[tuple[type, str]]:
    """Yields the dataclasses of a type with their paths; those of a union have the value of `kind` in theirs."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint, path
    elif origin is tuple:
        yield from _nested(arguments[0], f"{path}[]")
    elif origin is Mapping:
        yield from _nested(arguments[1], f"{path}.NAME")
    elif origin is not typing.Literal:
        several = sum(1 for part in arguments if dataclasses.is_dataclass(part)) > 1
        for part in arguments:
            for kind, inner in _nested(part, path):
                tag = typing.get_args(typing.get_type_hints(kind)["kind"])[0] if several else ""
                yield kind, f"{inner} ({tag})" if tag else inner
