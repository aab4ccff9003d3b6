"""Speed of training steps: a table in which every row is compared with a row of the same run.

Run it from the root of the repository: `python -m benchmarks.train --help`; see `benchmarks/README.md`.
"""

import importlib.util
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from benchmarks import page, protocol, report
from benchmarks.results import Results, best_round
from benchmarks.rivals import DEFAULT_ENVIRONMENT, rival_python, rival_versions
from benchmarks.rows import BACKENDS, DEFAULT_SECTIONS, SECTIONS, Row, Sizes, all_rows, chosen_rows

_ROOT = pathlib.Path(__file__).parents[1]
_SEED = 1
_WARM_UP = 3
_MODULES = {
    "device": "benchmarks.measure_layers",
    "limit": "benchmarks.measure_layers",
    "layers": "benchmarks.measure_layers",
    "model": "benchmarks.measure",
    "rechub": "benchmarks.measure_rechub",
}
"""Module that measures jobs of a kind."""


class NotAvailableError(click.ClickException):
    """A backend or a device is not available; the command ends with exit code 2."""

    exit_code = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rows", metavar="A,B", help="Sections of the table: limit,layers,mmoe,models,strategies.  [default: by backend]"
)
@click.option("--backend", type=click.Choice(list(BACKENDS)), default="tensorflow", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@click.option("--quick", is_flag=True, help="Use tiny sizes, to check that every row runs; the numbers mean nothing.")
@click.option("--rounds", type=click.IntRange(min=1), help="Number of measurements of each row.  [default: 2]")
@click.option("--seconds", type=click.FloatRange(min=0), help="Duration of a measurement.  [default: 10]")
@click.option("--rivals/--no-rivals", default=True, help="Compare with torch-rechub (CPU only).")
@click.option(
    "--rivals-env",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    default=DEFAULT_ENVIRONMENT,
    help="Folder in which torch-rechub is installed by this command.  [default: build/benchmarks/rechub]",
)
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="File for all measurements."
)
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the table, between the marks of this benchmark if the file has them.",
)
def main(
    rows: str | None,
    backend: str,
    device: str,
    quick: bool,
    rounds: int | None,
    seconds: float | None,
    rivals: bool,
    rivals_env: pathlib.Path,
    json_path: pathlib.Path | None,
    markdown_path: pathlib.Path | None,
) -> None:
    """Measure training steps, and compare them with plain matrix products, Keras's Adam and torch-rechub.

    Every row has its own process; all rows take turns in each round, and the best round counts.
    """
    console = Console()
    rounds = rounds or (1 if quick else 2)
    seconds = seconds if seconds is not None else (0.0 if quick else 10.0)
    sections = _parse_sections(rows, backend)
    check_available(backend, device)
    table_rows = chosen_rows(all_rows(Sizes(device, quick, rivals, backend)), sections)
    pythons = {"tfmtl": sys.executable}
    if _has_rivals(table_rows):
        console.print(f"torch-rechub in {rivals_env} (installed once, a few minutes)", style="dim")
        try:
            pythons["rechub"] = str(rival_python(rivals_env.absolute()))
        except RuntimeError as error:
            message = f"torch-rechub should be installable, or be left out with --no-rivals. Received: {error}"
            raise click.ClickException(message) from None
    settings = {
        "device": device,
        "seconds": seconds,
        "seed": _SEED,
        "warm_up": 1 if quick else _WARM_UP,
        "pool": 2 if quick else 64,
    }
    rounds_by_row = measure_rows(table_rows, rounds, settings, pythons, quick, console)
    results = Results([best_round(row, rounds_by_row[row.name]) for row in table_rows])
    notes = _notes(backend, device, rounds, seconds, table_rows)
    if quick:
        notes.append("Quick run with tiny sizes: neither the numbers nor the checks mean anything.")
    # Without a terminal, the table is wide enough for all its cells.
    (console if console.is_terminal else Console(width=160)).print(report.terminal_table(results))
    for line in [*notes, *report.check_lines(results)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps({"notes": notes, "rows": rounds_by_row}, indent=1) + "\n", encoding="utf-8")
    if markdown_path:
        page.write_section(markdown_path, "train", report.markdown(results, notes))
    sys.exit(1 if any(one.error for one in results.rows.values()) else 0)


def check_available(backend: str, device: str) -> None:
    """Checks that a backend is installed and finds a device.

    Args:
        backend: Name of a Keras backend.
        device: `cpu` or `gpu`.

    Raises:
        NotAvailableError: If the backend is not installed, or does not find the device.
    """
    if importlib.util.find_spec(backend) is None:
        raise NotAvailableError(f"`--backend` should be installed in this environment. Received: {backend}")
    if device == "gpu":
        (answer,) = run_jobs([{"kind": "device", "backend": backend, "device": device}], sys.executable)
        if "error" in answer:
            raise NotAvailableError(answer["error"].removeprefix("RuntimeError: "))


def measure_rows(
    rows: Sequence[Row],
    rounds: int,
    settings: Mapping[str, Any],
    pythons: Mapping[str, str],
    together: bool,
    console: Console,
) -> dict[str, list[dict[str, Any]]]:
    """Measures all rows in turns.

    Args:
        rows: Rows of the table; rows with equal jobs are measured once.
        rounds: Number of rounds; each round measures all rows, so that a drift of the machine affects all of them.
        settings: Entries that are added to every job.
        pythons: Interpreters of the package (`tfmtl`) and of torch-rechub (`rechub`).
        together: Whether successive rows share a process if the same module measures them; this saves time, and makes
            peak memory meaningless.
        console: Console for a line per process.

    Returns:
        Results of the rounds by name of the row.
    """
    rows_by_job: dict[str, list[Row]] = {}
    for row in rows:
        rows_by_job.setdefault(json.dumps(row.job, sort_keys=True), []).append(row)
    measured_rows = [same[0] for same in rows_by_job.values()]
    groups = [list(group) for _, group in itertools.groupby(measured_rows, lambda row: _process(row, together))]
    results: dict[str, list[dict[str, Any]]] = {row.name: [] for row in rows}
    start, total = time.monotonic(), rounds * len(groups)
    for number, (turn, group) in enumerate(itertools.product(range(rounds), groups)):
        jobs = [{**row.job, **settings, "count_flops": turn == 0} for row in group]
        answers = run_jobs(jobs, pythons["rechub" if _has_rivals(group) else "tfmtl"])
        for row, answer in zip(group, answers, strict=True):
            for same in rows_by_job[json.dumps(row.job, sort_keys=True)]:
                results[same.name].append(answer)
        left = (time.monotonic() - start) / (number + 1) * (total - number - 1)
        last = answers[-1].get("error") or f"{1e3 * answers[-1]['seconds']:,.2f} ms"
        line = f"[{number + 1}/{total}] {group[-1].label}: {last}; about {left / 60:.0f} min left"
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
    return results


def run_jobs(jobs: Iterable[Mapping[str, Any]], python: str) -> list[dict[str, Any]]:
    """Runs jobs in one process.

    Args:
        jobs: Jobs whose kinds are measured by the same module.
        python: Interpreter of the process.

    Returns:
        Results of the jobs; the result of a job that the process did not finish has the entry `error`.
    """
    jobs = list(jobs)
    module = _MODULES[jobs[0]["kind"]]
    inherited = {name: value for name, value in os.environ.items() if name not in ("TF_USE_LEGACY_KERAS", "PYTHONHOME")}
    backend = jobs[0].get("backend", "tensorflow")
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **inherited, "KERAS_BACKEND": backend, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(
        [python, "-m", module],
        input="".join(json.dumps(job) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=environment,
        check=False,
    )
    answers = protocol.results(done.stdout)
    missing = len(jobs) - len(answers)
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return answers + [{"error": f"the process ended with status {done.returncode}: {last}"}] * missing


def _parse_sections(rows: str | None, backend: str) -> tuple[str, ...]:
    known = SECTIONS[backend]
    names = tuple(rows.split(",")) if rows else DEFAULT_SECTIONS[backend]
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"should be some of {','.join(known)} with --backend {backend}. Received: {','.join(unknown)}"
        raise click.BadParameter(message, param_hint="--rows")
    return names


def _process(row: Row, together: bool) -> str:
    """Returns a name that successive rows have in common if they share a process."""
    return _MODULES[row.job["kind"]] if together else row.group


def _has_rivals(rows: Iterable[Row]) -> bool:
    return any(row.job["kind"] == "rechub" for row in rows)


def _notes(backend: str, device: str, rounds: int, seconds: float, rows: Sequence[Row]) -> list[str]:
    """Returns lines about machine, versions, command and method."""
    rivals = rival_versions() if _has_rivals(rows) else []
    return [
        *page.environment_notes("benchmarks.train", (backend, "keras", "numpy"), device, rivals),
        f"Time of a step: median over blocks in {seconds:g} s, best of {rounds} round(s) in which all rows take turns.",
        "The limit is the fastest plain product of the row's dtype. FLOPs are those of the matrix products of a "
        "training step; products that are computed again to save memory (after the +) do not count as work.",
    ]


if __name__ == "__main__":
    main()
