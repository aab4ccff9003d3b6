"""The reference of the command line: the help of each command, as a terminal shows it."""

from collections.abc import Iterator
from typing import Any

import click
from markdown import MarkdownDirective
from sphinx.application import Sphinx

from pipelines.cli import main


class CommandReference(MarkdownDirective):
    """The help of each command of `tfmtl` under a heading."""

    def markdown(self) -> str:
        return "\n\n".join(f"## `{name}`\n\n```text\n{text}\n```" for name, text in _commands(main, None, "tfmtl"))


def _commands(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, max_content_width=80)
    context.help_option_names = ["-h", "--help"]
    yield name, command.get_help(context)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _commands(inner, context, f"{name} {inner.name}")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True}
