"""Formulas as MathML, which browsers lay out by themselves: docutils translates the TeX while the site is built."""

from typing import Any

from docutils import nodes
from docutils.utils import math
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_LOGGER = logging.getLogger(__name__)


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{_mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, as_block: bool) -> str:
    """Returns a formula; one that docutils cannot read is a warning, which fails a strict build."""
    try:
        return str(latex2mathml.tex2mathml(node.astext(), as_block=as_block))
    except math.MathError as error:
        _LOGGER.warning("%s in the formula %s", error, node.astext(), location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
