"""Command `tfmtl settings`: prints the reference of the settings, or their JSON schema."""

import difflib
import json
import textwrap

from rich.text import Text

from pipelines.output.invocation import present
from pipelines.settings_reference.json_schema import json_schema
from pipelines.settings_reference.sections import Section, settings_sections
from tfmtl.config import ConfigError

_WIDTH = 80


def show_settings(path: str | None) -> None:
    """Prints every field of the settings, or those of one section and the sections inside it.

    Args:
        path: Path of a section, such as `training` or `training.optimizer`; None for all of them.

    Raises:
        ConfigError: If there is no such section.
    """
    sections = [section for section in settings_sections() if path is None or _is_inside(section.path, path)]
    if not sections:
        places = sorted({section.path.partition(" (")[0] for section in settings_sections()} - {""})
        close = difflib.get_close_matches(str(path), places, n=1)
        hint = f"Did you mean `{close[0]}`?" if close else f"Sections: {', '.join(p for p in places if '.' not in p)}."
        raise ConfigError(f"SECTION should be a section of the settings. {hint} Received: {path!r}")
    text = "\n\n".join([*map(_section_text, sections), "Options of a model: tfmtl models NAME"])
    document = {"sections": [{"path": s.path, "summary": s.summary, "fields": s.entries} for s in sections]}
    present(document, Text(text, no_wrap=True))


def show_json_schema() -> None:
    """Prints the JSON schema of settings files."""
    schema = json_schema()
    present(schema, Text(json.dumps(schema, indent=2, ensure_ascii=False), no_wrap=True))


def _is_inside(place: str, path: str) -> bool:
    return place == path or place.startswith((f"{path}.", f"{path}[", f"{path} "))


def _section_text(section: Section) -> str:
    lines = [section.path or "settings file", _wrapped(section.summary, 0)]
    for entry in section.entries:
        default = "  (required)" if entry.default is None else f" = {entry.default}"
        lines += ["", _wrapped(f"{entry.name}: {entry.type}{default}", 2, 6), _wrapped(entry.meaning, 6)]
    return "\n".join(lines)


def _wrapped(text: str, indent: int, later: int | None = None) -> str:
    following = " " * (indent if later is None else later)
    return textwrap.fill(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=following)
