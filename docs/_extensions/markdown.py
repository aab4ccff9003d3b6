"""Markdown that directives write, and that the parser of the page turns into nodes."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class MarkdownDirective(SphinxDirective):
    """Directive whose content is Markdown that its `markdown` returns."""

    final_argument_whitespace = True

    def markdown(self) -> str:
        """Returns the text that stands for the directive."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.markdown(), allow_section_headings=True)


def cell(text: str) -> str:
    """Returns a text that does not end its cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Returns a table.

    Args:
        header: Title of each column.
        rows: Cells of each row.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def definition(name: str, kind: str, default: str | None, meaning: str, links: str = "") -> str:
    """Returns one entry of a definition list: a field with its type, its default and its meaning.

    Args:
        name: Name of the field.
        kind: Its type.
        default: Its default as text; None if it has to be given.
        meaning: Description in one line.
        links: Markdown that follows the description.
    """
    ending = "required" if default is None else f"default {default}"
    return f"`{name}` ({kind}; {ending})\n: {escaped(meaning)} {links}\n"


def escaped(text: str) -> str:
    """Returns a description without Markdown that it does not mean, outside of its code."""
    parts = text.split("`")
    for i in range(0, len(parts), 2):
        for mark in "*_$<|":
            parts[i] = parts[i].replace(mark, "\\" + mark)
    return "`".join(parts)
