"""Page that lists the runs of several run folders, with links to their reports."""

import pathlib
from collections.abc import Sequence

from pipelines.report.names import REPORT, report_name
from pipelines.report.page.blocks import Cell, Section, Text, number, table
from pipelines.report.page.render import render_page
from pipelines.runners.history.runs import PastRun, read_runs

_TONES = {"pushed": "good", "refused": "bad", "failed": "bad", "killed": "bad"}
_COLUMNS = ("run", "started", "model", "data", "rows", "metrics", "result", "version")


def run_index(base: pathlib.Path, folders: Sequence[pathlib.Path]) -> str:
    """Returns the HTML of the page.

    Args:
        base: Folder of the page, to which its links are relative.
        folders: Run folders in `base`.
    """
    sections = []
    total = 0
    for index, folder in enumerate(folders):
        runs = read_runs(folder)
        total += len(runs)
        rows = [_row(base, folder, run, run is runs[-1]) for run in reversed(runs)]
        caption = "Runs, newest first; a number is a link if the run has a report."
        content = table(_COLUMNS, rows, caption) if rows else Text("This folder has no run yet.")
        sections.append(Section(f"folder-{index}", folder.relative_to(base).name or folder.absolute().name, (content,)))
    return render_page("Runs", [("Run folders", str(len(folders))), ("Runs", str(total))], sections)


def _row(base: pathlib.Path, folder: pathlib.Path, run: PastRun, is_newest: bool) -> list[Cell | str]:
    record = run.record
    candidates = [folder / report_name(run.number), *([folder / REPORT] if is_newest else [])]
    reports = [path for path in candidates if path.is_file()]
    link = reports[0].relative_to(base).as_posix() if reports else ""
    rows = record.rows.get("read")
    return [
        Cell(str(run.number), float(run.number), link=link),
        run.started[:16],
        str(record.settings.get("model", {}).get("name", "")),
        run.data,
        number(None if rows is None else float(rows), ",.0f"),
        ", ".join(run.main_metrics),
        Cell(run.result, tone=_TONES.get(run.result, "")),
        record.pushed_version or "",
    ]
