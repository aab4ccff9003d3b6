"""What `tfmtl ingest panels` does: daily rows to the log of windows that `tfmtl run` reads."""

import pathlib
import shutil

from rich.table import Table

from pipelines.settings import load_settings
from pipelines.terminal import console
from tfmtl.config import ConfigError, FieldError
from transforms.batches.reasons import REASONS
from transforms.batches.rejects import write_rejects
from transforms.panels.windows import WINDOWS, WindowReport, write_windows

REJECTS = "rejects.jsonl"
_UNFINISHED = ".unfinished"


def ingest_panels(settings_path: str, raw: str, out: str) -> None:
    """Writes `panels.csv` and, if there are any, `rejects.jsonl`, and prints what became of the rows.

    The log gets its name when it is whole: what was stopped leaves none, and is made anew when it is run again.
    """
    settings = load_settings(settings_path)
    if settings.windows is None:
        raise ConfigError(f"{settings_path}: windows: should be given. Received: None")
    folder = pathlib.Path(out)
    unfinished = folder / _UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    with console.status("reading ...") as status:
        try:
            report, rejects = write_windows(
                settings.spec,
                settings.windows,
                raw,
                unfinished,
                lambda entities: status.update(f"{entities:,} entities ..."),
            )
        except FieldError as error:
            path = ".".join(str(part) for part in error.path)
            raise ConfigError(f"{settings_path}: windows.{path}: {error.message}") from error
    if rejects:
        with (unfinished / REJECTS).open("w", encoding="utf-8") as file:
            write_rejects(rejects, file)
    if not sum(report.windows.values()):
        console.print(_table(report))
        expected = f"{raw}: should have rows of which windows can be made"
        raise ConfigError(f"{expected}. Received: none; {len(rejects):,} rows are in {unfinished / REJECTS}")
    for name in (WINDOWS, REJECTS):
        (folder / name).unlink(missing_ok=True)
    if rejects:
        (unfinished / REJECTS).rename(folder / REJECTS)
    (unfinished / WINDOWS).replace(folder / WINDOWS)
    unfinished.rmdir()
    console.print(_table(report))
    if rejects:
        console.print(f"rejected rows, each with its line and reason: {folder / REJECTS}", highlight=False)
    console.print(f"log: {folder / WINDOWS}", highlight=False)


def _table(report: WindowReport) -> Table:
    table = Table(title="Windows of daily rows", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_row("daily rows", f"{report.days:,}", f"of {report.entities:,} entities", end_section=not report.rejected)
    for reason, count in report.rejected.items():
        table.add_row(f"rejected: {reason}", f"{count:,}", REASONS[reason])
    for split, count in report.windows.items():
        table.add_row(f"windows, {split}", f"{count:,}", "")
    for reason, count in report.left_out.items():
        if count:
            table.add_row("windows left out", f"{count:,}", reason.replace("_", " "))
    return table
