"""Group of commands that ends in one to three lines where its user has made a mistake or presses Ctrl-C."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

_RESUMED = ("run", "compare", "tune")
"""Commands whose next run uses what an interrupted one has finished."""
_SERVER_ADVICE = "\nIs a server running at this address? To start one: tfmtl serve OUT/serving/NAME"


class Program(click.Group):
    """Group of commands that ends with one to three lines if its user has made a mistake or presses Ctrl-C."""

    def invoke(self, ctx: click.Context) -> Any:
        with _user_messages(ctx):
            return super().invoke(ctx)


@contextmanager
def _user_messages(context: click.Context) -> Iterator[None]:
    """Prints errors that the user can correct, and warnings about renamed settings, in one to three lines each.

    Such an error ends the program: with exit code 2 for wrong settings, a wrong log, a missing file or a full disk,
    with 3 for a training that diverged, with 1 for a failed prediction, and with 130 for Ctrl-C. Other exceptions pass
    through.

    Args:
        context: Context of the group, with its options.
    """
    from pipelines.errors import exit_code, user_message
    from pipelines.interrupts import interrupts_remembered
    from pipelines.terminal import show_renamed_settings

    try:
        with show_renamed_settings(), interrupts_remembered():
            yield
    except KeyboardInterrupt:
        _show_traceback(context)
        resumes = " The next run continues after the last finished step."
        click.echo(f"Interrupted.{resumes if context.invoked_subcommand in _RESUMED else ''}", err=True)
        sys.exit(130)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        from serving.connection import PredictionError

        failed = isinstance(error, PredictionError)
        message = f"{error}{_SERVER_ADVICE if 'UNAVAILABLE' in str(error) else ''}" if failed else user_message(error)
        if message is None:
            raise
        _show_traceback(context)
        click.echo(f"Error: {message}", err=True)
        sys.exit(1 if failed else exit_code(error))


def _show_traceback(context: click.Context) -> None:
    if context.params["traceback"]:
        traceback.print_exc()
