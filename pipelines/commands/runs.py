"""Command `tfmtl runs`: history of the runs of a folder, without TensorFlow."""

import pathlib
from typing import Any

from rich import box
from rich.table import Table

from pipelines.output.invocation import present
from pipelines.runners.folders import all_run_folders, run_folder
from pipelines.runners.history.compare import differences
from pipelines.runners.history.runs import PastRun, find_run, read_runs
from tfmtl.config import ConfigError


def list_runs(target: str | None) -> None:
    """Prints a table of runs, oldest first.

    Args:
        target: Settings, name of the pipeline, or run folder; None for all run folders below `runs`.

    Raises:
        ConfigError: If there is no run folder.
    """
    folders = all_run_folders() if target is None else [run_folder(target)]
    if not folders:
        raise ConfigError("FOLDER should be a run folder, as there is none below runs/. Received: none")
    runs = {folder: read_runs(folder) for folder in folders}
    for folder, found in runs.items():
        present({str(folder): [run.to_dict() for run in found]}, str(folder), _runs_table(found))


def show_run(asked: str, target: str | None) -> None:
    """Prints all that is known of a run.

    Args:
        asked: Number or id of the run.
        target: Settings, name of the pipeline, or run folder.
    """
    folder = run_folder(target)
    run = find_run(read_runs(folder), asked)
    lines = [f"{name:<14} {value}" for name, value in _shown(folder, run).items()]
    table = [_metrics_table(run)] if run.record.metrics else []
    present({"folder": str(folder), **run.to_dict()}, *lines, *table)


def diff_runs(first: str, second: str, target: str | None) -> None:
    """Prints the settings, code, data and metrics in which two runs of a folder differ.

    Args:
        first: Number or id of the first run.
        second: Number or id of the second run.
        target: Settings, name of the pipeline, or run folder.
    """
    runs = read_runs(run_folder(target))
    before, after = find_run(runs, first), find_run(runs, second)
    found = differences(before, after)
    if not found:
        present({}, f"runs {before.number} and {after.number} do not differ")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("field", f"run {before.number}", f"run {after.number}"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(one.field, _cell(one.before), _cell(one.after))
    present({one.field: [one.before, one.after] for one in found}, table)


def _runs_table(runs: list[PastRun]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("run", "started", "data", "rows", "metrics", "result", "version", "spec", "code"):
        table.add_column(column, justify="right" if column in ("run", "rows") else "left", overflow="fold")
    for run in runs:
        record = run.record
        rows = f"{record.rows['read']:,}" if "read" in record.rows else ""
        code = record.code.split(" ")
        table.add_row(
            str(run.number), run.started[:16], run.data, rows, "\n".join(run.main_metrics), run.result,
            record.pushed_version or "", record.spec_hash[:6], " ".join([code[0], code[-1][:6]]) if record.code else "",
        )  # fmt: skip
    return table


def _shown(folder: pathlib.Path, run: PastRun) -> dict[str, str]:
    record = run.record
    settings = record.settings
    shown = {
        "run": f"{run.number} of {folder}",
        "id": run.id,
        "started": run.started,
        "ended": record.ended,
        "result": run.result,
        "error": record.error,
        "data": ", ".join(record.spans) or str(settings.get("data", {}).get("path", "")),
        "rows": ", ".join(f"{count:,} {name}" for name, count in record.rows.items()),
        "model": str(settings.get("model", {}).get("name", "")),
        "spec": record.spec_hash,
        "code": record.code,
        "started from": f"run {run.started_from}" if run.started_from else "",
        "compared with": f"run {run.compared_with}" if run.compared_with else "",
        "pushed": f"version {record.pushed_version} -> {record.destination}" if record.pushed_version else "",
        "cached": ", ".join(name for name, how in run.steps.items() if how == "cached"),
        "computed": ", ".join(name for name, how in run.steps.items() if how != "cached"),
    }
    return {name: value for name, value in shown.items() if value}


def _metrics_table(run: PastRun) -> Table:
    names = list(dict.fromkeys(name for metrics in run.record.metrics.values() for name in metrics))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("output")
    for name in names:
        table.add_column(name, justify="right")
    for output, metrics in run.record.metrics.items():
        table.add_row(output, *(_number(name, metrics[name]) if name in metrics else "" for name in names))
    return table


def _number(name: str, value: float) -> str:
    return f"{value:,.0f}" if name == "rows" else f"{value:.4f}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
