"""Options that commands share: `-v`, `-q` and `--color` before or after the name of any command, and `--json`."""

import functools
from collections.abc import Callable
from typing import Any

import click

_KEY = "pipelines.output"


def _kept(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keeps the value of an option for the command; one after the name of the command holds."""
    values = context.meta.setdefault(_KEY, {})
    if parameter.name == "verbose":
        values["verbose"] = values.get("verbose", 0) + value
    elif value:
        values[parameter.name] = value


def _shared_options() -> list[click.Option]:
    kept: dict[str, Any] = {"expose_value": False, "callback": _kept}
    return [
        click.Option(
            ["-v", "--verbose"],
            count=True,
            help="Show warnings of libraries, versions and the duration; -vv: the log of TensorFlow, TFX and Beam.",
            **kept,
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show errors and the result only.", **kept),
        click.Option(
            ["--color"], type=click.Choice(["auto", "always", "never"]), help="Use colours; default: auto.", **kept
        ),
    ]


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_kept, help="Print the result as JSON (docs/terminal.md)."
)
"""Decorator of a command that shows its result by `pipelines.output.invocation.present`."""


def add_output_options(command: click.Command) -> None:
    """Adds the options to a command, or to a group and all of its commands, and makes them hold while it runs.

    Args:
        command: The command or group.
    """
    command.params += _shared_options()
    if isinstance(command, click.Group):
        for one in command.commands.values():
            add_output_options(one)
    elif command.callback is not None:
        command.callback = _within_invocation(command.callback)


def _within_invocation(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def call(*arguments: Any, **options: Any) -> Any:
        from pipelines.output.invocation import NORMAL, QUIET, invocation  # Imports rich, of which --help has no need.

        context = click.get_current_context()
        values = context.meta.get(_KEY, {})
        verbosity = QUIET if values.get("quiet") else values.get("verbose", NORMAL)
        if values.get("quiet") and values.get("verbose"):
            raise click.UsageError("--quiet should be given without --verbose.")
        with invocation(verbosity, bool(values.get("json")), values.get("color", "auto"), context.info_name or ""):
            return callback(*arguments, **options)

    return call
