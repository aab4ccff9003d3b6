"""Measure the start and the memory of `tfmtl serve`, compared with a program that loads the same model.

The program imports TensorFlow, loads the model into a graph session and runs its warm-up requests, as the server does.
Both are new processes that take turns, and the least value of each counts.
"""

import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page

PEER = "import tensorflow, load the model"
SERVER = "tfmtl serve"
LIMITS = {"s": 1.5, "MB": 100.0}
"""Most that the server may add to the program."""

_FEATURES = 18
_LOAD = """
import sys
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
folder = sys.argv[1]
session = tf.compat.v1.Session(graph=tf.Graph())
with session.graph.as_default():
    model = tf.compat.v1.saved_model.load(session, ["serve"], folder)
for record in tf.compat.v1.io.tf_record_iterator(folder + "/assets.extra/tf_serving_warmup_requests"):
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    signature = model.signature_def[request.model_spec.signature_name]
    feeds = {signature.inputs[name].name: tf.make_ndarray(value) for name, value in request.inputs.items()}
    session.run([output.name for output in signature.outputs.values()], feeds)
print("ready on", flush=True)
sys.stdin.read()
"""
_SERVE = "from pipelines.cli import program; program()"


@dataclasses.dataclass(frozen=True)
class Start:
    """Start of a process.

    Attributes:
        seconds: Seconds until it is ready.
        cpu_seconds: Seconds of all its threads until then.
        megabytes: Resident memory when it is ready.
    """

    seconds: float
    cpu_seconds: float
    megabytes: float


def start(command: list[str]) -> Start:
    """Starts a process, and ends it when it has printed a line with the word `on`.

    Args:
        command: Command and arguments.

    Raises:
        click.ClickException: If it ends without the line.
    """
    before = time.perf_counter()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            if not any("on" in line.split() for line in process.stdout):
                raise click.ClickException(f"{command[-1]} failed:\n{process.stderr.read()[-2000:]}")
            seconds = time.perf_counter() - before
            clock = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            memory = pathlib.Path(f"/proc/{process.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
            return Start(seconds, (int(clock[11]) + int(clock[12])) / 100, int(memory) / 1024)
        finally:
            process.kill()


def measure(folder: pathlib.Path, rounds: int) -> dict[str, Start]:
    """Measures both processes by name.

    Args:
        folder: Folder of the model's versions, of which it has version 1.
        rounds: Number of times that each is started.
    """
    python = [sys.executable, "-W", "ignore", "-c"]
    commands = {
        PEER: [*python, _LOAD, str(folder / "1")],
        SERVER: [*python, _SERVE, "serve", str(folder), "--port", "0"],
    }
    found: dict[str, list[Start]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(start(command))
    fields = [field.name for field in dataclasses.fields(Start)]
    return {
        name: Start(*(min(getattr(one, field) for one in starts) for field in fields)) for name, starts in found.items()
    }


def make_table(starts: dict[str, Start]) -> Table:
    """Creates the table of both processes, of their difference and of its limit.

    Args:
        starts: Measurements of `PEER` and `SERVER`.
    """
    table = Table(title="start of a server", title_justify="left")
    for column in ("process", "s", "CPU s", "MB"):
        table.add_column(column, justify="left" if column == "process" else "right")
    rows = {name: dataclasses.astuple(one) for name, one in starts.items()}
    rows["difference"] = tuple(b - a for a, b in zip(rows[PEER], rows[SERVER], strict=True))
    for name, (seconds, cpu, memory) in rows.items():
        table.add_row(name, f"{seconds:.2f}", f"{cpu:.2f}", f"{memory:.0f}")
    table.add_row("limit", f"{LIMITS['s']:.2f}", "", f"{LIMITS['MB']:.0f}")
    return table


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Starts of each process.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the table, between the marks of this benchmark if the file has them.",
)
def main(rounds: int, markdown_path: pathlib.Path | None) -> None:
    from benchmarks.serving import models

    with tempfile.TemporaryDirectory(prefix="tfmtl_serve_start_") as folder:
        models.write_model(pathlib.Path(folder), _FEATURES)
        table = make_table(measure(pathlib.Path(folder), rounds))
    Console().print(table)
    if markdown_path:
        page.write_tables(markdown_path, "serve_start", ("tensorflow", "grpcio"), [table])


if __name__ == "__main__":
    main()
