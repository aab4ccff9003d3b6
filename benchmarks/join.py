"""Measure `tfmtl join` on simulated logs, compared with reading them and with pandas, and check every label.

The logs are those of examples/join.yaml, with duplicates, events without an impression, and events before their cause.
Each case runs in a process of its own; times exclude imports. The labels are compared with those that follow from the
times that the simulator knows.
"""

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.processes import in_processes

SETTINGS = pathlib.Path(__file__).parents[1] / "examples" / "join.yaml"
READ, PANDAS = "read with Arrow", "pandas.merge_asof"
PEER_ROWS = 1_000_000
"""Largest number of impressions that pandas joins, as it holds all of them in memory."""
LOGS = ("impressions", "click", "conversion")
Measured = dict[tuple[str, int], tuple[float, float]]
"""Seconds and peak memory in bytes by case and number of impressions."""


def simulate(rows: int, folder: str) -> int:
    """Writes the logs, and returns their size in bytes."""
    from pipelines.settings_file import load_settings
    from pipelines.simulated_log import draw

    settings = load_settings(SETTINGS)
    assert settings.simulator is not None
    simulator: Any = dataclasses.replace(settings.simulator, rows=rows)  # type: ignore[type-var]
    draw(dataclasses.replace(settings, simulator=simulator), pathlib.Path(folder))
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*.csv"))


def measure(name: str, rows: int, folder: str) -> tuple[float, float]:
    """Returns seconds and peak memory of a case.

    Args:
        name: `READ`, `PANDAS`, or the number of workers of the join.
        rows: Number of impressions.
        folder: Folder of the logs.
    """
    from pipelines.progress.peak_memory import peak_memory_bytes

    with tempfile.TemporaryDirectory(prefix="tfmtl_join_") as out:
        start = time.perf_counter()
        if name == READ:
            read_logs(folder)
        elif name == PANDAS:
            join_with_pandas(folder, out)
        else:
            start = join(folder, f"{out}/joined", int(name.split()[0]))
        seconds = time.perf_counter() - start
        memory = float(peak_memory_bytes() or 0)
        if name not in (READ, PANDAS):
            check_labels(folder, f"{out}/joined", rows)
    return seconds, memory


def read_logs(folder: str) -> None:
    """Reads all columns of the logs in blocks, with all cores."""
    import pyarrow.csv

    for log in LOGS:
        for path in sorted(pathlib.Path(folder, log).glob("*.csv")):
            for _ in pyarrow.csv.open_csv(str(path)):
                pass


def join(folder: str, out: str, workers: int) -> float:
    """Joins the logs, and returns the time after the imports."""
    from pipelines.commands.join import join_logs

    start = time.perf_counter()
    join_logs(str(SETTINGS), folder, out, workers)
    return start


def join_with_pandas(folder: str, out: str) -> None:
    """Joins the logs as the settings describe, in memory, and writes the rows of each day to Parquet."""
    import pandas as pd

    logs = {
        log: pd.concat([pd.read_csv(path) for path in sorted(pathlib.Path(folder, log).glob("*.csv"))]) for log in LOGS
    }
    shown = logs["impressions"].drop_duplicates(["impression_id", "time"]).sort_values("time")
    shown["row"] = range(len(shown))
    clicks = logs["click"].drop_duplicates("event_id").sort_values("time")
    orders = logs["conversion"].drop_duplicates("event_id").sort_values("time")
    causes = shown[["impression_id", "time", "row"]]
    day = 86_400_000
    clicks = pd.merge_asof(clicks, causes, on="time", by="impression_id", tolerance=day).dropna(subset="row")
    orders = pd.merge_asof(
        orders, clicks[["impression_id", "time", "row"]], on="time", by="impression_id", tolerance=7 * day
    )
    shown["click"] = shown["row"].isin(clicks["row"]).astype("int8")
    shown["conversion"] = shown["row"].isin(orders["row"].dropna()).astype("int8")
    for number, rows in shown.groupby(shown["time"] // day):
        rows.drop(columns="row").to_parquet(f"{out}/{number}.parquet")


def check_labels(folder: str, out: str, rows: int) -> None:
    """Raises an error if a label is not that which follows from the times of the simulator."""
    import json

    import numpy as np
    import pyarrow.parquet as pq

    truth = pq.read_table(f"{folder}/truth.parquet", columns=["impressions", *LOGS[1:]])
    shown, click, order = (truth.column(name).to_numpy().astype(float) for name in ("impressions", *LOGS[1:]))
    end = json.loads(pathlib.Path(out, "join.json").read_text(encoding="utf-8"))["end"] / 1000
    day = 86_400_000
    clicked = (click <= end) & (click - shown <= day)
    converted = clicked & (order <= end) & (order - click <= 7 * day)
    expected = np.stack([clicked, converted], axis=1)
    columns = ["impression_id", "click", "conversion"]
    found = np.full(expected.shape, -1, np.int8)
    for path in pathlib.Path(out).glob("*/*.parquet"):
        table = pq.read_table(path, columns=columns)
        index = np.char.lstrip(table.column("impression_id").to_numpy().astype(str), "i").astype(np.int64)
        if (found[index] >= 0).any():
            raise ValueError(f"{path}: should have each impression once")
        found[index] = np.stack([table.column(name).to_numpy() for name in columns[1:]], axis=1)
    if len(found) != rows or (found != expected).any():
        raise ValueError(f"labels should be those of the simulator. Different: {(found != expected).sum()}")


def make_table(measured: Measured, sizes: dict[int, int]) -> Table:
    """Creates the table of all cases.

    Args:
        measured: Measurements of all cases.
        sizes: Size of the logs in bytes by number of impressions.
    """
    shown = Table(title="Join of impressions, clicks and conversions", title_justify="left")
    for column in ("impressions", "CSV, MB", "", "s", "impressions/s", "ratio to reading", "peak MB"):
        shown.add_column(column, justify="right" if column else "left")
    for (name, rows), (seconds, memory) in measured.items():
        ratio = seconds / measured[READ, rows][0]
        cells = [f"{rows:,}", f"{sizes[rows] / 1e6:,.0f}", name, f"{seconds:.1f}", f"{rows / seconds:,.0f}"]
        shown.add_row(*cells, f"{ratio:.1f}", f"{memory / 1e6:,.0f}")
    return shown


@click.command(help=__doc__)
@click.option("--rows", default="1000000,10000000", show_default=True, help="Numbers of impressions.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(rows: str, markdown: pathlib.Path | None) -> None:
    """Measures all cases and prints the table."""
    console = Console() if Console().is_terminal else Console(width=120)
    measured: Measured = {}
    sizes = {}
    for count in sorted(int(one) for one in rows.split(",")):
        with tempfile.TemporaryDirectory(prefix="tfmtl_join_log_") as folder:
            with console.status(f"{count:,} impressions ..."):
                sizes[count] = simulate(count, folder)
            names = [READ, *([PANDAS] if count <= PEER_ROWS else []), "1 worker", "2 workers"]
            cases = [(name, count, folder) for name in names]
            found = in_processes(measure, cases, f"{count:,} impressions", console)
            measured |= {(name, count): one for name, one in zip(names, found, strict=True)}
    table = make_table(measured, sizes)
    console.print(table)
    if markdown:
        page.write_tables(markdown, "join", ("apache-beam", "pyarrow", "pandas"), [table])


if __name__ == "__main__":
    main()
