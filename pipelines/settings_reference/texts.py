"""Types and values of settings as text, as a user of YAML would write them."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

import yaml

from tfmtl.config import to_plain


def type_name(hint: Any) -> str:
    """Returns a type as a user of YAML would name it: `list of int`, `mean | concat`, `mapping` for a dataclass.

    Args:
        hint: Type annotation of a field.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " | ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(map(type_name, arguments)))
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    if origin is Mapping:
        return f"{type_name(arguments[1])} by name"
    if dataclasses.is_dataclass(hint):
        return "mapping"
    return {type(None): "null", Any: "any value"}.get(hint) or str(hint.__name__)


def flow(value: Any) -> str:
    """Returns a value in one line of YAML.

    Args:
        value: A value of a field.
    """
    text: str = yaml.safe_dump(to_plain(value), default_flow_style=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")
