"""Completion of commands in a shell: the script of each shell, and the names that arguments complete to.

Click calls the program with `_TFMTL_COMPLETE` for each press of the tabulator, so that nothing here imports TensorFlow
before it is used.
"""

import os
import pathlib
from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = {
    "bash": "~/.local/share/bash-completion/completions/tfmtl",
    "zsh": "a folder of $fpath, as _tfmtl",
    "fish": "~/.config/fish/completions/tfmtl.fish",
}
"""Shells, and where the script goes."""
_VARIABLE = "_TFMTL_COMPLETE"
_RUNS = "runs"
_NO_SPACE = "            [[ $value == */ ]] && compopt -o nospace"


def script(shell: str) -> str:
    """Returns the script by which a shell completes the commands of `tfmtl`, with a comment about where to put it.

    Args:
        shell: One of `SHELLS`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    source = kind(click.Command("tfmtl"), {}, "tfmtl", _VARIABLE).source()
    if shell == "bash":  # A folder is continued: no space follows it.
        source = source.replace("COMPREPLY+=($value)", "COMPREPLY+=($value)\n" + _NO_SPACE)
    line = f"# Completion of tfmtl in {shell}. To install it, write this text to {SHELLS[shell]}."
    first, _, rest = source.partition("\n")
    if first.startswith("#compdef"):  # It has to be the first line.
        return f"{first}\n{line}\n{rest}"
    return f"{line}\n{source}"


def model_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the names of models that begin with a text."""
    from tfmtl.models import MODELS

    return [name for name in sorted(MODELS) if name.startswith(incomplete)]


def run_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the run folders in `runs`, settings files, and folders on the way to others, that begin with a text."""
    runs = [path.parent.name for path in sorted(pathlib.Path(_RUNS).glob("*/metadata.sqlite"))]
    return [CompletionItem(name) for name in runs if name.startswith(incomplete)] + list(_paths(incomplete))


def settings_files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the settings files, and the folders on the way to others, that begin with a text."""
    return list(_paths(incomplete))


def _paths(incomplete: str) -> Iterator[CompletionItem]:
    """Yields the YAML files and the folders that begin with a text; a shell adds no space behind a folder."""
    folder, prefix = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(prefix) or (entry.name.startswith(".") and not prefix):
            continue
        path = os.path.join(folder, entry.name)
        if entry.is_dir():
            yield CompletionItem(f"{path}/")
        elif entry.name.endswith((".yaml", ".yml")):
            yield CompletionItem(path)
