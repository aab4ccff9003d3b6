"""HTML of a page: one file with styles, scripts and data, which loads nothing."""

import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from pipelines.report.page.blocks import Choices, Code, DataTable, Figure, Section, Text

_BUNDLE = """
import sys, vl_convert
sys.stdout.buffer.write(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode("utf-8"))
"""


def render_page(
    title: str, summary: Sequence[tuple[str, str]], sections: Sequence[Section], choices: Choices | None = None
) -> str:
    """Returns the HTML of a page.

    Vega-Lite's compiled libraries are part of the page (0.9 MB) if it has a figure.

    Args:
        title: Title of the page.
        summary: Names and values that stand below the title.
        sections: Sections, in order.
        choices: Values that the reader shows or hides; None for none.
    """
    figures = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    specs = {figure.name: figure.spec for figure in figures}
    if len(specs) < len(figures):
        raise ValueError(f"Figures should have different names. Received: {[figure.name for figure in figures]}")
    return _environment().get_template("page.html.j2").render(
        title=title,
        summary=summary,
        sections=[(section, _groups(section)) for section in sections],
        choices=choices,
        specs=Markup(_json(specs)),
        libraries=Markup(figure_libraries() if figures else ""),
    )  # fmt: skip


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.report.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    kinds: dict[str, type] = {"table": DataTable, "figure": Figure, "text": Text, "code": Code}
    for name, kind in kinds.items():
        environment.tests[name] = lambda block, kind=kind: isinstance(block, kind)
    return environment


@functools.cache
def figure_libraries() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script; the first call takes two seconds.

    Another process makes it, as it would hold all threads of this one.
    """
    program = [sys.executable, "-c", _BUNDLE]
    done = subprocess.run(program, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode("utf-8").replace("</script", "<\\/script")


def _groups(section: Section) -> list[Any]:
    """Returns the blocks of a section, in which consecutive figures are a list."""
    groups: list[Any] = []
    for block in section.blocks:
        if isinstance(block, Figure) and groups and isinstance(groups[-1], list):
            groups[-1].append(block)
        else:
            groups.append([block] if isinstance(block, Figure) else block)
    return groups


def _json(plain: Any) -> str:
    """Returns JSON in which no text can end the script or begin a comment."""
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
