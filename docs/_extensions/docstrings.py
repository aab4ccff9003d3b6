"""Docstrings for Sphinx: their Markdown becomes reStructuredText, and a public name without one is an error."""

import inspect
import re
import textwrap
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.inspect import stringify_signature

_LINK = re.compile(r"\[([^\]]+)\]\s*\(((?:https?://)[^)\s]+)\)")
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
_KEPT: dict[str, list[str]] = {}
"""Docstrings of properties, until napoleon has run."""
_LOGGER = logging.getLogger(__name__)


def convert(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrites the lines of a docstring in place, before napoleon reads its sections."""
    text = "\n".join(lines)
    text = _LINK.sub(lambda link: f"`{' '.join(link[1].split())} <{link[2]}>`__", text)
    text = _FENCE.sub(lambda block: f".. code-block:: {block[2]}\n\n{textwrap.indent(block[3], '    ')}", text)
    text = _TABLE.sub(lambda block: _list_table(block[0]), text)
    lines[:] = text.split("\n")
    _KEPT[name] = list(lines)


def restore(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Undoes what napoleon makes of a property, which takes the words before a colon for a type."""
    if what in ("attribute", "property", "data"):
        lines[:] = _KEPT.pop(name, lines)


def _list_table(text: str) -> str:
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()]
    cells = ["\n".join(f"{'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)) for row in rows]
    body = textwrap.indent("\n".join([cells[0], *cells[2:]]), "    ")
    return f".. list-table::\n    :header-rows: 1\n\n{body}\n"


def choose(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out the members that are Keras's own, and asks for a docstring of every public class and function."""
    is_public = what == "module" and not name.startswith("_") and (inspect.isclass(obj) or inspect.isfunction(obj))
    if is_public and obj.__module__.startswith(("tfmtl.", "serving.")) and not obj.__doc__:
        _LOGGER.warning("%s.%s should have a docstring", obj.__module__, name)
    return True if what == "class" and str(getattr(obj, "__module__", "")).startswith("keras") else None


def readable(app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str) -> Any:
    """Returns the signature of `__init__` where Keras hides it, without defaults that Sphinx cannot parse."""
    if what == "class" and (signature or "").startswith("(*args") and "__init__" in vars(obj):
        own = inspect.signature(obj.__init__)
        own = own.replace(parameters=list(own.parameters.values())[1:], return_annotation=inspect.Signature.empty)
        signature = stringify_signature(own, unqualified_typehints=True)
    return (signature or "").replace("<factory>", "...") or None, returns


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", convert, priority=100)
    app.connect("autodoc-process-docstring", restore, priority=900)
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-skip-member", choose)
    return {"parallel_read_safe": True}
