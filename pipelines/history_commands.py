"""Commands of `tfmtl` about earlier runs: `runs`, `rollback` and `clean`."""

from typing import Any

import click

from pipelines.output.completion import run_names
from pipelines.output.options import json_option


class _RunsGroup(click.Group):
    """Group whose command `list` runs if the first word names none of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Adds the name of the command."""
        if not (args and (args[0] in self.commands or args[0] in ctx.help_option_names)):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunsGroup, short_help="Show the history of runs.", options_metavar="", subcommand_metavar="[FOLDER]")
def runs() -> None:
    """Show the runs in FOLDER, oldest first: data, metrics, and which were pushed or refused.

    FOLDER is a run folder, settings, or the name of a pipeline whose runs are in runs/NAME; by default, all run folders
    in runs/ are shown. A run has a number in its folder and an id, the time of its start.

    \b
    Example:
      tfmtl runs
      tfmtl runs show 3 shop
      tfmtl runs diff 2 3 shop
    """


@runs.command(name="list", short_help="List the runs; the command without a name.")
@click.argument("folder", required=False, shell_complete=run_names)
@json_option
def list_(folder: str | None) -> None:
    """List the runs in FOLDER, oldest first.

    \b
    Example:
      tfmtl runs runs/shop
    """
    from pipelines.commands.runs import list_runs

    list_runs(folder)


@runs.command(short_help="Show one run.")
@click.argument("run", metavar="ID")
@click.argument("folder", required=False, shell_complete=run_names)
@json_option
def show(run: str, folder: str | None) -> None:
    """Show the data, steps, metrics and result of the run ID in FOLDER.

    \b
    Example:
      tfmtl runs show 3 shop
    """
    from pipelines.commands.runs import show_run

    show_run(run, folder)


@runs.command(short_help="Show in what two runs differ.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.argument("folder", required=False, shell_complete=run_names)
@json_option
def diff(first: str, second: str, folder: str | None) -> None:
    """Show in what the runs A and B in FOLDER differ: code, settings, data, metrics and result.

    \b
    Example:
      tfmtl runs diff 2 3 shop
    """
    from pipelines.commands.runs import diff_runs

    diff_runs(first, second, folder)


@click.command(short_help="Serve an earlier version of a model again.")
@click.argument("target", metavar="SETTINGS|NAME", shell_complete=run_names)
@click.option("--to", type=click.IntRange(min=0), metavar="VERSION", help="Version; default: that of the model before.")
@click.option("--out", type=click.Path(file_okay=False), help="Run folder; default: runs/NAME.")
@json_option
def rollback(**arguments: Any) -> None:
    """Serve an earlier version of a model again, as a new version with the highest number.

    Servers load it as they load every new version. The models of the versions after it are not pushed again, and later
    runs neither start from them nor are compared with them.

    \b
    Example:
      tfmtl rollback shop
      tfmtl rollback shop --to 1795853324
    """
    from pipelines.commands.rollback import rollback_model  # Imports TensorFlow.

    rollback_model(**arguments)


@click.command(short_help="Remove old versions and artifacts.")
@click.argument("target", metavar="SETTINGS|NAME", shell_complete=run_names)
@click.option(
    "--keep", default=7, show_default=True, type=click.IntRange(min=1), help="Number of runs, and of versions, to keep."
)
@click.option("--yes", is_flag=True, help="Remove them; default: only list them.")
@json_option
def clean(**arguments: Any) -> None:
    """List, or remove, the versions and artifacts of a run folder that are not needed any more.

    The last runs and versions stay, and so do the version that is served, the latest blessed model, and what a warm
    start needs. The history of all runs stays as well.

    \b
    Example:
      tfmtl clean shop --keep 3
      tfmtl clean shop --keep 3 --yes
    """
    from pipelines.commands.clean import clean_folder  # Imports TensorFlow.

    clean_folder(**arguments)
