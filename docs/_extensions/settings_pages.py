"""The reference of the settings, and the file of their JSON schema beside the pages."""

import json
import pathlib
from typing import Any

from markdown import MarkdownDirective, definition, escaped
from sphinx.application import Sphinx

from pipelines.settings_reference.json_schema import json_schema
from pipelines.settings_reference.sections import Entry, Section, settings_sections

SCHEMA = "settings.schema.json"


def anchor(path: str) -> str:
    """Returns the anchor of a section."""
    words = "".join(letter if letter.isalnum() else " " for letter in f"settings {path}").split()
    return "-".join(words).lower()


class SettingsReference(MarkdownDirective):
    """Every section of a settings file, each under a heading with its path."""

    def markdown(self) -> str:
        return "\n\n".join(map(_section, settings_sections()))


def _section(section: Section) -> str:
    heading = f"`{section.path}`" if section.path else "The file"
    lines = [f"({anchor(section.path)})=", f"## {heading}", "", escaped(section.summary), ""]
    return "\n".join([*lines, ":::{container} settings-list", *map(_entry, section.entries), ":::"])


def _entry(entry: Entry) -> str:
    links = ", ".join(f"[`{path}`](#{anchor(path)})" for path in dict.fromkeys(entry.sections))
    default = None if entry.default is None else _short(f"`{entry.default}`", links)
    return definition(entry.name, entry.type, default, entry.meaning, f"See {links}." if links else "")


def _short(default: str, links: str) -> str:
    """Returns a default; that of a mapping with a section of its own stands there."""
    return "below" if links and len(default) > 30 else default


def _write_schema(app: Sphinx, failure: Exception | None) -> None:
    if failure is None:
        text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
        (pathlib.Path(app.outdir) / SCHEMA).write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("settings-reference", SettingsReference)
    app.connect("build-finished", _write_schema)
    return {"parallel_read_safe": True}
