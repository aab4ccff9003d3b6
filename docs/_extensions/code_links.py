"""Code in a sentence, such as `tfmtl.layers.Gate` or `MANOptions`, links to its place in the API reference."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

_AMBIGUOUS = {"calibration", "rate", "path", "name", "spec"}
"""Last parts of names that are words of their own."""


class CodeLinks(SphinxPostTransform):
    """Turns literals that are names of the API into links, outside of headings and links."""

    default_priority = 900

    def run(self, **kwargs: Any) -> None:
        targets = _targets(self.env)
        for literal in list(self.document.findall(nodes.literal)):
            parent = literal.parent
            if isinstance(parent, nodes.reference | nodes.title | nodes.term) or literal.get("linked"):
                continue
            name = literal.astext().removesuffix("()")
            if name in targets:
                document, anchor, full = targets[name]
                if document == self.env.current_document.docname and anchor in _enclosing_ids(literal):
                    continue
                literal["linked"] = True
                reference = make_refnode(
                    self.app.builder, self.env.current_document.docname, document, anchor, literal.deepcopy(), full
                )
                parent.replace(literal, reference)


def _enclosing_ids(node: nodes.Node) -> set[str]:
    """Returns the ids of a signature around a node, which needs no link to itself."""
    found: set[str] = set()
    while node := node.parent:
        for child in node.children if node.__class__.__name__ == "desc" else ():
            found |= set(child.get("ids", ())) if isinstance(child, nodes.Element) else set()
    return found


def _targets(env: Any) -> dict[str, tuple[str, str, str]]:
    """Returns the place of each name of the API, by its full name and, if that is unique, by its last part."""
    objects = {name: entry for name, entry in env.domains.python_domain.objects.items() if not entry.aliased}
    targets = {name: (entry.docname, entry.node_id, name) for name, entry in objects.items()}
    short: dict[str, list[str]] = {}
    for name, entry in objects.items():
        if entry.objtype in ("class", "exception", "function"):
            short.setdefault(name.rpartition(".")[2], []).append(name)
    for last, names in short.items():
        if len(names) == 1 and last not in _AMBIGUOUS and (not last.islower() or "_" in last):
            targets.setdefault(last, targets[names[0]])
    return targets


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(CodeLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
