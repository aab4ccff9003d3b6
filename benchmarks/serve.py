"""Load of a model server: requests per second and latencies, beside the floors that were measured in the same run.

Run it from the root of the repository: `python -m benchmarks.serve --help`; see `benchmarks/README.md`.
"""

import contextlib
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.serving import models, targets
from benchmarks.serving.load import Latencies, closed_loop, open_loop
from benchmarks.serving.targets import KINDS, Case
from serving.client import TfmtlClient

COLUMNS = ("features", "request", "rows", "load", "req/s", "p50", "p99", "p99.9", "echo", "graph", "ratio", "errors")
"""Columns of the table; latencies are in milliseconds."""
BATCHES, FEATURES = (1, 100, 1000), (18, 100)
_OPEN_SHARE = 0.5
_GRAPH_CALLS = 200
_WIDTH = 110


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", help="Server of the models that --export writes; default: start `tfmtl serve`.")
@click.option(
    "--export",
    "folder",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    help="Folder to which the models are exported, for a server that is started by hand.  [default: temporary]",
)
@click.option("--features", "widths", multiple=True, type=int, default=FEATURES, show_default=True)
@click.option("--batch", "batches", multiple=True, type=int, default=BATCHES, show_default=True)
@click.option("--clients", default=4, show_default=True, help="Clients of the closed loop, besides one alone.")
@click.option("--seconds", default=5.0, show_default=True, help="Duration of a load.")
@click.option("--quick", is_flag=True, help="Short loads, to check that every row runs; the numbers mean little.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="File for all rows.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the table, between the marks of this benchmark if the file has them.",
)
def main(
    host: str | None,
    folder: pathlib.Path | None,
    widths: tuple[int, ...],
    batches: tuple[int, ...],
    clients: int,
    seconds: float,
    quick: bool,
    json_path: pathlib.Path | None,
    markdown_path: pathlib.Path | None,
) -> None:
    """Measure a server of models with 18 and 100 features, with named tensors and tf.Examples.

    The closed loops have one client and several, each of which waits for its answers; the open loop sends half of the
    requests per second of one client at fixed times, and measures from these times. `echo` is the median of a gRPC
    server in Python that answers the same bytes, and `graph` that of the signature in this process. `ratio` is the
    median divided by the sum of both.
    """
    seconds = 0.3 if quick else seconds
    with contextlib.ExitStack() as stack:
        root = folder or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folders = [_exported(root, features) for features in widths]
        address = host or stack.enter_context(targets.embedded_server(folders))
        channel = stack.enter_context(targets.open_channel(address))
        rows = []
        for features in widths:
            for kind in KINDS:
                for batch in batches:
                    case = Case(features, kind, batch)
                    rows += _measure(case, root, address, channel, clients, seconds, 20 if quick else _GRAPH_CALLS)
                    Console(stderr=True).print(f"  {_name(case)}", highlight=False)
    table = make_table(rows)
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
    if json_path:
        json_path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if markdown_path:
        page.write_tables(markdown_path, "serve", ("tensorflow", "grpcio", "protobuf"), [table])


def make_table(rows: list[dict[str, Any]]) -> Table:
    """Returns the table of the measurements.

    Args:
        rows: Measurements by the names of `COLUMNS`.
    """
    table = Table(*COLUMNS, title="serving, latencies in ms")
    for name, column in zip(COLUMNS, table.columns, strict=True):
        column.justify = "left" if name in ("request", "load") else "right"
        column.no_wrap = True
    for row in rows:
        if row["load"] == rows[0]["load"]:
            table.add_section()
        table.add_row(*(_cell(name, row[name]) for name in COLUMNS))
    return table


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if name in ("features", "rows", "req/s", "errors") else f"{value:.2f}"


def _exported(root: pathlib.Path, features: int) -> pathlib.Path:
    path = root / f"width_{features}"
    if not path.exists():
        models.write_model(path, features)
    return path


def _name(case: Case) -> str:
    return f"{case.features} features, {case.kind}, batch {case.batch}"


def _measure(
    case: Case, root: pathlib.Path, address: str, channel: Any, clients: int, seconds: float, graph_calls: int
) -> list[dict[str, Any]]:
    """Returns the rows of one kind of request."""
    request = case.request(targets.signature(address, case))
    payload, method = request.SerializeToString(), targets.predict_method(channel)
    size = len(method(payload))
    with targets.echo_channel(size) as call_echo:
        echo = closed_loop(lambda: call_echo(payload), 1, seconds).percentile(50)
    graph = targets.graph_seconds(root / case.model, case, request, graph_calls)
    alone = closed_loop(lambda: method(payload), 1, seconds)
    loads = {
        "1 client": alone,
        f"{clients} clients": closed_loop(lambda: method(payload), clients, seconds),
        f"open {_OPEN_SHARE * alone.rate:,.0f}/s": open_loop(
            lambda done: _send(method, payload, done), _OPEN_SHARE * alone.rate, seconds
        ),
    }
    with _client_call(case, address) as call:
        loads["TfmtlClient"] = closed_loop(call, 1, seconds)
    return [_row(case, load, latencies, echo, graph) for load, latencies in loads.items()]


def _row(case: Case, load: str, latencies: Latencies, echo: float, graph: float) -> dict[str, Any]:
    p50, p99, p999 = (1000 * latencies.percentile(share) for share in (50, 99, 99.9))
    compared = load in ("1 client", "TfmtlClient")
    ratio = p50 / (1000 * (echo + graph)) if compared else None
    measured = (latencies.rate, p50, p99, p999, 1000 * echo, 1000 * graph, ratio, latencies.errors)
    values = (case.features, case.kind, case.batch, load, *measured)
    return dict(zip(COLUMNS, values, strict=True))


def _send(method: Any, payload: bytes, done: Callable[[bool], None]) -> None:
    future = method.future(payload)
    future.add_done_callback(lambda answered: done(answered.exception() is None))


@contextlib.contextmanager
def _client_call(case: Case, address: str) -> Iterator[Callable[[], object]]:
    """Context manager that yields a call of `TfmtlClient`, which encodes the rows and decodes the scores."""
    spec = models.spec_of(case.features)
    with TfmtlClient(address, case.model) as client:
        if case.kind == "examples":
            serialized = models.examples(spec, case.batch)
            yield lambda: client.predict_examples(serialized)
        else:
            columns = models.columns(spec, case.batch)
            yield lambda: client.predict(columns)


if __name__ == "__main__":
    main()
