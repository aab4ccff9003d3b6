"""JSON schema of settings files, by which editors complete them and underline mistakes."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from pipelines.settings import Settings
from pipelines.settings_reference.sections import default_of, required, summary
from tfmtl.config import to_plain
from tfmtl.models import MODELS
from tfmtl.models.options.descriptions import option_descriptions
from tfmtl.models.options.info import DEFAULT
from transforms.readers.log_format import INGESTED
from transforms.readers.log_format import NAMES as READERS

Schema = dict[str, Any]
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def json_schema() -> Schema:
    """Returns the JSON schema (draft 2020-12) of a settings file as plain data.

    Every field has its description, type and default, and every mapping refuses other fields. The options and the
    presets of `model` are those of the model that `name` gives. A file that names a `base` needs no other section. What
    depends on values, such as bounds, or on names in the spec, is left to `load_settings`.
    """
    definitions: dict[str, Schema] = {}
    _define(Settings, definitions)
    for name in MODELS:
        _define(MODELS.info(name).options_class, definitions)
    root = definitions["Settings"]
    base = {"type": "string", "description": "Path of another settings file, whose sections this one inherits."}
    root["properties"] = {"base": base, **root["properties"]}
    needed = root.pop("required")
    root["if"], root["else"] = {"required": ["base"]}, {"required": needed}
    definitions["ModelSettings"]["allOf"] = [_options_of(name) for name in sorted(MODELS)]
    definitions["ModelSettings"]["properties"]["name"]["enum"] = sorted(MODELS)
    definitions["DataSettings"]["properties"]["reader"]["enum"] = [*READERS, INGESTED]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of tfmtl",
        "$ref": "#/$defs/Settings",
        "$defs": definitions,
    }


def _options_of(name: str) -> Schema:
    """Returns the condition by which the model of a name has its own options and presets."""
    info = MODELS.info(name)
    presets: Schema = {"enum": [DEFAULT, *info.presets, None]}
    options = {"$ref": f"#/$defs/{info.options_class.__name__}"}
    given = {"properties": {"name": {"const": name}}, "required": ["name"]}
    return {"if": given, "then": {"properties": {"preset": presets, "options": options}}}


def _define(kind: type, definitions: dict[str, Schema]) -> None:
    """Adds the schema of a dataclass, and those of the dataclasses inside it."""
    if kind.__name__ in definitions:
        return
    properties: dict[str, Schema] = {}
    needed = [field.name for field in dataclasses.fields(kind) if required(field)]
    definition: Schema = {"type": "object", "title": kind.__name__, "description": summary(kind)}
    definitions[kind.__name__] = definition
    hints, meanings = typing.get_type_hints(kind), option_descriptions(kind)
    former_values = getattr(kind, "renamed_values", {})
    for field in dataclasses.fields(kind):
        schema = _schema(hints[field.name], definitions)
        if former := former_values.get(field.name):
            schema = {"anyOf": [schema, {"enum": list(former), "deprecated": True}]}
        default = {} if required(field) else {"default": to_plain(default_of(field))}
        properties[field.name] = {"description": meanings.get(field.name, ""), **schema, **default}
    for old, new in getattr(kind, "renamed_fields", {}).items():
        properties[old] = {**properties[new], "description": f"Former name of `{new}`.", "deprecated": True}
    definition |= {"properties": properties, "additionalProperties": False}
    if needed:
        definition["required"] = needed


def _schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        _define(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, definitions)
    return {"type": _SCALARS[hint]}


def _union(members: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    """Returns the schema of a union; `kind` selects the member where several are dataclasses, as in `config.build`."""
    kinds = [member for member in members if dataclasses.is_dataclass(member)]
    scalars = [member for member in members if member in _SCALARS]
    others = [member for member in members if member not in kinds and member not in scalars]
    types_of_scalars = [_SCALARS[member] for member in scalars]
    schemas = [_schema(member, definitions) for member in others]
    if kinds:
        schemas.append(_schema(kinds[0], definitions) if len(kinds) == 1 else _tagged(kinds, definitions))
    if not schemas:
        return {"type": types_of_scalars}
    if len(schemas) == 1 and not scalars:
        return schemas[0]
    # The error about a wrong mapping is that of the mapping, not that of the union.
    if kinds and not others:
        return {"if": {"type": "object"}, "then": schemas[0], "else": {"type": types_of_scalars}}
    return {"anyOf": [*({"type": name} for name in types_of_scalars), *schemas]}


def _tagged(kinds: list[Any], definitions: dict[str, Schema]) -> Schema:
    tags = {typing.get_args(typing.get_type_hints(kind)["kind"])[0]: kind for kind in kinds}
    conditions = [
        {"if": {"properties": {"kind": {"const": tag}}, "required": ["kind"]}, "then": _schema(kind, definitions)}
        for tag, kind in tags.items()
    ]
    kind: Schema = {"enum": list(tags), "description": "Which of the kinds this is; the other fields depend on it."}
    return {"type": "object", "properties": {"kind": kind}, "required": ["kind"], "allOf": conditions}
