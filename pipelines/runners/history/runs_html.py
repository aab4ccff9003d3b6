"""HTML table of the runs of a folder."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfmtl.html_tables import html_block, html_table

if TYPE_CHECKING:
    from pipelines.runners.history.runs import PastRun


def runs_html(runs: "Iterable[PastRun]") -> str:
    """Returns a table of runs: data, rows, the main metric of each output, result and version.

    Args:
        runs: Runs of a folder.
    """
    rows = []
    for run in runs:
        record = run.record
        read = record.rows.get("read")
        count = None if read is None else f"{read:,}"
        rows.append(
            [
                run.number,
                run.started[:16],
                run.data,
                count,
                ", ".join(run.main_metrics),
                run.result,
                record.pushed_version,
            ]
        )
    header = ["run", "started", "data", "rows", "metrics", "result", "version"]
    return html_block("Runs", [html_table(header, rows)])
