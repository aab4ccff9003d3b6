"""Measure the time that commands take to answer, compared with the import of TensorFlow.

Each command is a new process. All commands take turns, and the shortest time of each counts.
"""

import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page

_ROOT = pathlib.Path(__file__).resolve().parents[1]
PEER = "python -c 'import tensorflow'"


def make_commands(folder: pathlib.Path) -> dict[str, list[str]]:
    """Returns the arguments of Python for each row of the table.

    Args:
        folder: Folder to which settings with a typing error are written.
    """
    wrong = folder / "wrong.yaml"
    demo = (_ROOT / "examples" / "demo.yaml").read_text(encoding="utf-8")
    wrong.write_text(demo.replace("max_epochs:", "max_epoch:"), encoding="utf-8")
    program = ["-m", "pipelines.cli"]
    return {
        PEER: ["-c", "import tensorflow"],
        "tfmtl --help": [*program, "--help"],
        "tfmtl models": [*program, "models"],
        "tfmtl models mmoe": [*program, "models", "mmoe"],
        "tfmtl run wrong.yaml": [*program, "run", str(wrong)],
        "tfmtl compare wrong.yaml": [*program, "compare", str(wrong)],
        "tfmtl.models.MMoEOptions": ["-c", "import tfmtl; tfmtl.models.MMoEOptions"],
        "tfmtl.models.MMoE": ["-c", "import tfmtl; tfmtl.models.MMoE"],
    }


def measure(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Measures the shortest time of each command in seconds.

    Args:
        commands: Arguments of Python by name.
        rounds: Number of times that each command runs.

    Raises:
        click.ClickException: If a command ends with another exit code than 0 or 2, the one for wrong settings.
    """
    seconds = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for name, arguments in commands.items():
            start = time.perf_counter()
            done = subprocess.run([sys.executable, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
            if done.returncode not in (0, 2):
                raise click.ClickException(f"{name} failed:\n{done.stderr[-2000:]}")
    return seconds


def make_table(seconds: Mapping[str, float]) -> Table:
    """Creates the table of seconds, and of their ratio to those of the import of TensorFlow.

    Args:
        seconds: Seconds by command, with those of `PEER`.
    """
    table = Table(title="time to answer", title_justify="left")
    for column in ("command", "s", "ratio"):
        table.add_column(column, justify="left" if column == "command" else "right")
    for name, one in seconds.items():
        table.add_row(name, f"{one:.2f}", f"{one / seconds[PEER]:.2f}")
    return table


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Runs of each command.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the table, between the marks of this benchmark if the file has them.",
)
def main(rounds: int, markdown_path: pathlib.Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="tfmtl_startup_") as folder:
        table = make_table(measure(make_commands(pathlib.Path(folder)), rounds))
    Console().print(table)
    if markdown_path:
        page.write_tables(markdown_path, "startup", ("tensorflow", "keras", "click", "pyarrow"), [table])


if __name__ == "__main__":
    main()
