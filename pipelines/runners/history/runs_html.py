"""HTML table of the runs of a folder."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfmtl.html_tables import html_block, html_table

if TYPE_CHECKING:
    from pipelines.runners.history.runs import PastRun

_METRICS = ("auc", "nmae")


def runs_html(runs: "Iterable[PastRun]") -> str:
    """Returns a table of runs: data, rows, the main metric of each output, result and version.

    Args:
        runs: Runs of a folder.
    """
    rows = []
    for run in runs:
        record = run.record
        read = record.rows.get("read")
        metrics = [
            f"{output} {name.upper()} {values[name]:.4f}"
            for output, values in record.metrics.items()
            for name in _METRICS
            if name in values
        ]
        count = None if read is None else f"{read:,}"
        spans = " to ".join(dict.fromkeys((*record.spans[:1], *record.spans[-1:])))
        rows.append([run.number, run.started[:16], spans, count, ", ".join(metrics), run.result, record.pushed_version])
    header = ["run", "started", "data", "rows", "metrics", "result", "version"]
    return html_block("Runs", [html_table(header, rows)])
