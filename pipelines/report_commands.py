"""Commands of `tfmtl` that write pages for a browser: `report` and `ui`."""

import click

from pipelines.output.completion import run_names
from pipelines.output.options import json_option


@click.command(short_help="Write the report of a run, or of a comparison, as HTML.")
@click.argument("target", required=False, metavar="[RUN|RESULTS]", shell_complete=run_names)
@click.option("--id", "asked", metavar="ID", help="Number or id of the run; default: the newest one.")
@click.option("--out", type=click.Path(dir_okay=False), help="File to write; default: in the folder of the run.")
@json_option
def report(target: str | None, asked: str | None, out: str | None) -> None:
    """Write the report of a run as one HTML file, which needs no network.

    RUN is a run folder, settings, or the name of a pipeline whose runs are in runs/NAME; by default, the only run
    folder in runs/. RESULTS is the folder that `tfmtl compare` wrote its report to, or its results.json.

    \b
    Example:
      tfmtl report shop
      tfmtl report shop --id 3
      tfmtl report runs/compare_demo/report
    """
    from pipelines.commands.report import report_target

    report_target(target, asked, out)


@click.command(short_help="Write a page that lists runs and links to their reports.")
@click.argument("folder", default="runs", type=click.Path(exists=True, file_okay=False))
@json_option
def ui(folder: str) -> None:
    """Write FOLDER/index.html, a page of all runs in the run folders below FOLDER, with links to their reports.

    The page is a file, and no server is started.

    \b
    Example:
      tfmtl ui runs
    """
    from pipelines.commands.ui import write_index

    write_index(folder)
