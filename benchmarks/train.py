"""How fast models train: one table, in which every row is compared with a row of the same run.

Run from the root of the repository: `python -m benchmarks.train --help`. See `benchmarks/README.md`.
"""

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
from benchmarks.results import Results, measured
from benchmarks.rivals import DEFAULT_ENVIRONMENT, REQUIREMENTS, rival_python
from benchmarks.rows import SECTIONS, Row, Sizes, all_rows, chosen_rows

_ROOT = pathlib.Path(__file__).parents[1]
_SEED = 1
_WARM_UP = 3


def _sections(context: Any, parameter: Any, value: str) -> tuple[str, ...]:
    names = tuple(value.split(","))
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise click.BadParameter(f"should be some of {','.join(SECTIONS)}. Received: {','.join(unknown)}")
    return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", "sections", default=",".join(SECTIONS), callback=_sections, show_default=True, metavar="A,B")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@click.option("--quick", is_flag=True, help="Tiny sizes, to see that every row runs; the numbers mean nothing.")
@click.option("--rounds", type=click.IntRange(min=1), help="How often each row is measured.  [default: 2]")
@click.option("--seconds", type=click.FloatRange(min=0), help="How long a row is measured in a round.  [default: 10]")
@click.option("--rivals/--no-rivals", default=True, help="Compare with torch-rechub (CPU only).")
@click.option(
    "--rivals-env",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    default=DEFAULT_ENVIRONMENT,
    help="Where torch-rechub is installed, by this command.  [default: build/benchmarks/rechub]",
)
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Write all rounds here."
)
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Write the table here: between the marks of a file that has them, such as benchmarks/README.md.",
)
def main(
    sections: Sequence[str],
    device: str,
    quick: bool,
    rounds: int | None,
    seconds: float | None,
    rivals: bool,
    rivals_env: pathlib.Path,
    json_path: pathlib.Path | None,
    markdown_path: pathlib.Path | None,
) -> None:
    """Measure training steps against the machine's limit, Keras's own Adam and torch-rechub.

    Every row has a process of its own; all rows take turns, `--rounds` times, and the best round counts.
    """
    console = Console()
    rounds = rounds or (1 if quick else 2)
    seconds = seconds if seconds is not None else (0.0 if quick else 10.0)
    rows = chosen_rows(all_rows(Sizes(device, quick, rivals)), sections)
    pythons = {"tfmtl": sys.executable}
    if any(row.job["kind"] == "rechub" for row in rows):
        console.print(f"torch-rechub in {rivals_env} (built once, a few minutes)", style="dim")
        try:
            pythons["rechub"] = str(rival_python(rivals_env.absolute()))
        except RuntimeError as error:
            raise click.ClickException(
                f"torch-rechub should be installable, or --no-rivals. Received: {error}"
            ) from None
    if device == "gpu":
        (answer,) = run_jobs([{"kind": "device", "device": device}], sys.executable, rival=False)
        if "error" in answer:
            raise click.ClickException(answer["error"])
    settings = {
        "device": device,
        "seconds": seconds,
        "seed": _SEED,
        "warm_up": 1 if quick else _WARM_UP,
        "pool": 2 if quick else 64,
    }
    found = measure_rows(rows, rounds, settings, pythons, quick, console)
    results = Results([measured(row, found[row.name]) for row in rows])
    notes = _notes(device, rounds, seconds, rows)
    if quick:
        notes.append("Sizes of a test: neither numbers nor checks mean anything.")
    # As wide as the table wants to be where nobody looks at a terminal.
    (console if console.is_terminal else Console(width=160)).print(report.terminal_table(results))
    for line in [*notes, *report.check_lines(results)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps({"notes": notes, "rows": found}, indent=1) + "\n", encoding="utf-8")
    if markdown_path:
        page.write_section(markdown_path, "train", report.markdown(results, notes))
    sys.exit(1 if any(one.error for one in results.rows.values()) else 0)


def measure_rows(
    rows: Sequence[Row],
    rounds: int,
    settings: Mapping[str, Any],
    pythons: Mapping[str, str],
    together: bool,
    console: Console,
) -> dict[str, list[dict[str, Any]]]:
    """What each row's process printed, once a round, by the row's name.

    Args:
        rows: those of the table; rows of equal jobs are measured once.
        rounds: how often all rows are gone through, so that a drift of the machine meets all of them.
        settings: added to every job.
        pythons: the interpreters of the package and of its rival.
        together: rows share a process as far as they can; that saves time, and makes the peak memory meaningless.
        console: for a line a process.
    """
    by_job: dict[str, list[Row]] = {}
    for row in rows:
        by_job.setdefault(json.dumps(row.job, sort_keys=True), []).append(row)
    firsts = [same[0] for same in by_job.values()]
    groups = [list(group) for _, group in itertools.groupby(firsts, lambda row: _process(row, together))]
    found: dict[str, list[dict[str, Any]]] = {row.name: [] for row in rows}
    start, total = time.monotonic(), rounds * len(groups)
    for number, (turn, group) in enumerate(itertools.product(range(rounds), groups)):
        jobs = [{**row.job, **settings, "count_flops": turn == 0} for row in group]
        rival = group[0].job["kind"] == "rechub"
        answers = run_jobs(jobs, pythons["rechub" if rival else "tfmtl"], rival)
        for row, answer in zip(group, answers, strict=True):
            for same in by_job[json.dumps(row.job, sort_keys=True)]:
                found[same.name].append(answer)
        left = (time.monotonic() - start) / (number + 1) * (total - number - 1)
        last = answers[-1].get("error") or f"{1e3 * answers[-1]['seconds']:,.2f} ms"
        line = f"[{number + 1}/{total}] {group[-1].label}: {last}; about {left / 60:.0f} min left"
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
    return found


def _process(row: Row, together: bool) -> str:
    """Rows that stand together and have the same answer here share a process."""
    return str(row.job["kind"] == "rechub") if together else row.group


def run_jobs(jobs: Iterable[Mapping[str, Any]], python: str, rival: bool) -> list[dict[str, Any]]:
    """The answers of one process to jobs; each says `error` if the process did not live to answer it."""
    jobs = list(jobs)
    module = "benchmarks.measure_rechub" if rival else "benchmarks.measure"
    kept = {name: value for name, value in os.environ.items() if name not in ("TF_USE_LEGACY_KERAS", "PYTHONHOME")}
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **kept, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(
        [python, "-m", module],
        input="".join(json.dumps(job) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=environment,
    )
    answers = protocol.results(done.stdout)
    missing = len(jobs) - len(answers)
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return answers + [{"error": f"the process ended with status {done.returncode}: {last}"}] * missing


def _notes(device: str, rounds: int, seconds: float, rows: Sequence[Row]) -> list[str]:
    """Machine, versions, command and method."""
    rivals = []
    if any(row.job["kind"] == "rechub" for row in rows):
        pins = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
        rivals = [pin.replace("==", " ") for pin in pins if pin.startswith("torch")]
    return [
        *page.setting("benchmarks.train", ("tensorflow", "keras", "numpy"), device, rivals),
        f"Time of a step: median over blocks in {seconds:g} s, best of rounds in which all rows take turns: {rounds}.",
        "The limit is the fastest product of the row's dtype; FLOPs are those of a training step's matrix products, "
        "what is computed again to save memory (after the +) not counted as work done.",
    ]


if __name__ == "__main__":
    main()
