"""Command `tfmtl models`: lists the models, or the options and presets of one model."""

import dataclasses
import difflib
import typing
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from pipelines.output.invocation import present
from pipelines.settings_reference.texts import flow, type_name
from pipelines.terminal import console
from tfmtl.config import ConfigError, to_plain
from tfmtl.models import MODELS, ModelOptions
from tfmtl.models.options.descriptions import option_descriptions
from tfmtl.models.options.info import DEFAULT, ModelInfo


def list_models() -> None:
    """Prints a line for each model: its name, its class, a description and its paper."""
    table = _table("name", "class", "model", "paper")
    records = []
    for name in sorted(MODELS):
        info = MODELS.info(name)
        authors_and_year = ", ".join(info.paper.split(", ")[:2])
        table.add_row(name, info.class_name, info.summary, authors_and_year)
        records.append({"name": name, "class": info.class_name, "summary": info.summary, "paper": info.paper})
    present({"models": records}, table)
    console.print("Options and presets of a model: tfmtl models NAME", highlight=False)


def show_model(name: str) -> None:
    """Prints the options of a model, those of every model last, and its presets.

    The default of an option is that of settings files; that of the class in Python is shown where it is another one.

    Args:
        name: Name of the model.

    Raises:
        ConfigError: If no model has this name.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"Did you mean `{close[0]}`?" if close else f"Models: {', '.join(sorted(MODELS))}."
        raise ConfigError(f"NAME should be the name of a model. {hint} Received: {name!r}")
    info = MODELS.info(name)
    lines = [f"{info.summary}.", f"class  {info.module}.{info.class_name}", f"paper  {info.paper}"]
    if info.equations:
        lines.append(f"       equations and sections: {info.equations}")
    common = [field.name for field in dataclasses.fields(ModelOptions)]
    redefined = {name for kind in _own_classes(info) for name in vars(kind).get("__annotations__", {})}
    fields = dataclasses.fields(info.options_class)
    own = [field for field in fields if field.name in redefined]
    others = [field for field in fields if field.name in common and field.name not in redefined]
    document = {
        "name": name,
        "class": f"{info.module}.{info.class_name}",
        "summary": info.summary,
        "paper": info.paper,
        "equations": info.equations or None,
        "options": _option_records(info, own),
        "common_options": _option_records(info, others),
        "presets": {preset: to_plain(options) for preset, options in info.presets.items()},
    }
    tables = [_option_table(f"Options of {name}", info, own), _option_table("Options of every model", info, others)]
    if info.presets:
        presets = _table("preset", "options", title="Presets")
        for preset, options in info.presets.items():
            presets.add_row(preset, Text(flow(options) if options else "the defaults"))
        tables.append(presets)
    present(document, "\n".join([*lines, ""]), *tables)


def _own_classes(info: ModelInfo) -> list[type]:
    """Returns the classes between a model's options and those of every model, whose fields are the model's own."""
    return [kind for kind in info.options_class.__mro__ if kind not in ModelOptions.__mro__]


def _option_table(title: str, info: ModelInfo, fields: list["dataclasses.Field[Any]"]) -> Table:
    table = _table("name", "type", "default", "in Python", "meaning", title=title)
    for one in _option_records(info, fields):
        default, in_python = flow(one["default"]), flow(one["in_python"])
        texts = (one["type"], default, "" if default == in_python else in_python, one["meaning"])
        table.add_row(one["name"], *map(Text, texts))  # A list in brackets is no markup.
    return table


def _option_records(info: ModelInfo, fields: list["dataclasses.Field[Any]"]) -> list[dict[str, Any]]:
    """Returns the name, type, defaults and meaning of each option as plain data."""
    descriptions, hints = option_descriptions(info.options_class), typing.get_type_hints(info.options_class)
    defaults, class_defaults = info.preset(DEFAULT), info.options_class()
    records = []
    for field in fields:
        in_python = getattr(class_defaults, field.name)
        default = defaults.get(field.name, in_python)
        record = {"name": field.name, "type": type_name(hints[field.name])}
        record |= {"default": to_plain(default), "in_python": to_plain(in_python)}
        records.append({**record, "meaning": descriptions.get(field.name, "")})
    return records


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
