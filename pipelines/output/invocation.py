"""One call of a command: how much it shows, in which form, and the document that it prints with `--json`."""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipelines import terminal
from pipelines.library_messages import library_messages
from pipelines.output.plain import plain
from pipelines.output.tables import fitted

QUIET, NORMAL, VERBOSE = -1, 0, 1
"""Verbosity of `-q`, by default, and of `-v`; that of `-vv` is 2."""
_VERSIONS = ("tfmtl", "tensorflow", "keras", "tfx", "apache-beam")
"""Distributions whose versions `-v` shows."""


@dataclasses.dataclass
class Invocation:
    """One call of a command.

    Attributes:
        verbosity: `QUIET` shows errors and the result only, `VERBOSE` the warnings of libraries, versions and the
            duration too, and 2 the log messages of TensorFlow, TFX and Beam.
        as_json: Prints the result as a JSON document in place of tables.
        stdout: Stream of the result; None for the present `sys.stdout`.
        document: What `present` has collected; None before its first call.
    """

    verbosity: int = NORMAL
    as_json: bool = False
    stdout: TextIO | None = None
    document: dict[str, Any] | None = None


_invocations = [Invocation()]


def present(document: Mapping[str, Any], *shown: RenderableType) -> None:
    """Shows a part of a command's result: as tables and lines, or with `--json` as keys of its document.

    The result is shown whatever the verbosity is. What a command prints otherwise is a note: it is left out with `-q`,
    and goes to stderr with `--json`.

    Args:
        document: Keys and values of the JSON document, as plain data, dataclasses or arrays. A list is appended to
            that of an earlier call.
        *shown: Tables and lines for a terminal. A string has no markup, and a `Text` that does not wrap is one line.
    """
    one = _invocations[-1]
    if one.as_json:
        one.document = _joined(one.document or {}, document)
        return
    with contextlib.redirect_stdout(one.stdout or sys.stdout):
        for part in shown:
            if isinstance(part, str):
                part = Text(part)
            elif isinstance(part, Table):
                part = fitted(part, terminal.console)
            is_whole_line = isinstance(part, Text) and bool(part.no_wrap)
            terminal.console.print(part, highlight=False, soft_wrap=is_whole_line)


@contextlib.contextmanager
def invocation(verbosity: int = NORMAL, as_json: bool = False, color: str = "auto", name: str = "") -> Iterator[None]:
    """Runs a block as one call of a command.

    With `--json`, the document is printed at the end of the block, also where it ends with `SystemExit`, whose code is
    a result; after an error, nothing is.

    Args:
        verbosity: See `Invocation`.
        as_json: Prints the result as JSON; everything else that the block prints goes to stderr.
        color: `always`, `never`, or `auto` for colours on a terminal only.
        name: Name of the command.
    """
    one = Invocation(verbosity, as_json, sys.stdout)
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.enter_context(library_messages(max(verbosity, NORMAL)))
        stack.enter_context(terminal.colored(color))
        if verbosity <= QUIET:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        elif as_json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        _invocations.append(one)
        stack.callback(_invocations.pop)
        if verbosity >= VERBOSE:
            print(_versions(), file=sys.stderr)
        try:
            yield
        except SystemExit:
            _print_document(one)
            raise
        else:
            _print_document(one)
        finally:
            if verbosity >= VERBOSE:
                seconds = time.monotonic() - start
                print(f"tfmtl {name}: {seconds:.1f} s, in {os.getcwd()}", file=sys.stderr)


def _joined(document: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a document with further keys; the lists of a key that both have follow each other."""
    lists = {
        name: [*document[name], *value]
        for name, value in more.items()
        if isinstance(value, list) and isinstance(document.get(name), list)
    }
    return {**document, **more, **lists}


def _print_document(one: Invocation) -> None:
    if one.document is not None:
        print(json.dumps(plain(one.document), indent=1, allow_nan=False), file=one.stdout)


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in _VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)
