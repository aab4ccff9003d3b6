"""Command `tfmtl ingest panels`: converts daily rows to the log of windows that `tfmtl run` reads."""

import pathlib

from rich.table import Table

from pipelines.output.invocation import present
from pipelines.settings_file import load_settings
from pipelines.terminal import working
from tfmtl.config import ConfigError, FieldError
from transforms.batches.reasons import REASONS
from transforms.batches.rejects import write_rejects
from transforms.panels.windows import WINDOWS, WindowReport, write_windows
from transforms.storage.atomic import UNFINISHED, remove_unfinished

REJECTS = "rejects.jsonl"
"""Name of the file of rejected rows."""


def ingest_panels(settings_path: str, raw: str, out: str) -> None:
    """Writes `panels.csv` and, if there are rejected rows, `rejects.jsonl`, and prints a report of the rows.

    The files are written to a staging folder inside `out` and get their final names when they are complete, so that an
    interrupted command leaves no incomplete log. Other files in `out`, which may be the folder of the daily files,
    remain unchanged.

    Args:
        settings_path: Path of the settings file.
        raw: Folder of the daily files.
        out: Folder to write to.

    Raises:
        ConfigError: If the settings have no `windows`, or these do not fit the spec, or no window can be made; in the
            last case, `.unfinished/rejects.jsonl` holds the rejected rows and a previous log remains.
        FileNotFoundError: If a daily file does not exist.
    """
    settings = load_settings(settings_path)
    if settings.windows is None:
        raise ConfigError(f"{settings_path}: windows: should be given. Received: None")
    folder = pathlib.Path(out)
    staging = folder / UNFINISHED
    remove_unfinished(folder)
    with working("reading ...") as show:
        try:
            report, rejects = write_windows(
                settings.spec,
                settings.windows,
                raw,
                staging,
                lambda entities: show(f"{entities:,} entities ..."),
            )
        except FieldError as error:
            path = ".".join(str(part) for part in error.path)
            raise ConfigError(f"{settings_path}: windows.{path}: {error.message}") from error
    if rejects:
        with (staging / REJECTS).open("w", encoding="utf-8") as file:
            write_rejects(rejects, file)
    if not sum(report.windows.values()):
        present({"rows": report}, _table(report))
        expected = f"{raw}: should have rows from which windows can be made"
        raise ConfigError(f"{expected}. Received: none; {len(rejects):,} rejected rows are in {staging / REJECTS}")
    for name in (WINDOWS, REJECTS):  # Removed first, so that a log never stands with the rejected rows of another one.
        (folder / name).unlink(missing_ok=True)
    if rejects:
        (staging / REJECTS).replace(folder / REJECTS)
    (staging / WINDOWS).replace(folder / WINDOWS)
    remove_unfinished(folder)
    rejected = folder / REJECTS if rejects else None
    lines = [f"rejected rows with line and reason: {rejected}"] if rejected else []
    document = {"rows": report, "log": folder / WINDOWS, "rejects": rejected}
    present(document, _table(report), *lines, f"log: {folder / WINDOWS}")


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
            table.add_row("windows dropped", f"{count:,}", reason.replace("_", " "))
    return table
