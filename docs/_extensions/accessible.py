"""Attributes that the theme lacks for readers without a mouse: boxes that scroll have focus, captions have a level."""

from typing import Any

from sphinx.application import Sphinx

_FOCUSABLE = {"<pre>": '<pre tabindex="0">', '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper'}
_FORMULA = ('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"', "<math", '<math tabindex="0"')


def complete(app: Sphinx, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    """Adds the attributes to the body and the navigation of a page."""
    body = context.get("body") or ""
    for plain, focusable in _FOCUSABLE.items():
        body = body.replace(plain, focusable)
    context["body"] = body.replace(_FORMULA[0], _FORMULA[0].replace(*_FORMULA[1:]))
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", complete, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
