"""Measure `tfmtl score` on simulated rows, compared with the pipeline's Evaluator on the same rows.

Each case runs in a process of its own. The model returns random scores, so that the times are those of reading,
validation, encoding, the call of the model and writing. One file is scored several times over, to a file of its own
format. Times include the loading of the model, and exclude imports.
"""

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import evaluate, page
from benchmarks.evaluation_cases import FILE_ROWS, Case, make_spec, save_model, write_rows
from benchmarks.processes import in_processes

EVALUATOR = "Evaluator"
KINDS = {"tfrecord": ".tfrecord.gz", "parquet": ".parquet", "csv": ".csv"}
SCENARIOS, OUTPUTS = 10, 3
FEW, MANY = 200_000, 1_000_000
Measured = dict[tuple[str, int], float]
"""Seconds by `EVALUATOR` or the format of the files, and the number of rows."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """Rate of one row of the table.

    Attributes:
        rate: Further rows per second, from `FEW` to `MANY` rows.
        ratio: The rate relative to that of the Evaluator.
    """

    rate: float
    ratio: float


def write_file(folder: pathlib.Path, spec: Any, kind: str) -> str:
    """Writes `FILE_ROWS` rows in a format, and returns the path of the file.

    Args:
        folder: Folder to write to.
        spec: Spec of the rows.
        kind: One of `KINDS`.
    """
    import pyarrow as pa

    from pipelines.batch_scoring.writers import WRITERS
    from transforms.readers.log_format import LogFormat
    from transforms.readers.registry import column_names, read

    source = folder / "rows.tfrecord.gz"
    write_rows(source, spec, SCENARIOS)
    if kind == "tfrecord":
        return str(source)
    path = str(folder / f"rows{KINDS[kind]}")
    writer = WRITERS[KINDS[kind]](path)
    for batch in read(str(source), column_names(str(source), LogFormat()) or [], LogFormat()):
        columns = {name: batch.column(name).flatten() for name in batch.columns.column_names}
        writer.write(pa.table(columns))
    writer.close()
    return path


def score(model: str, source: str, kind: str, times: int, folder: str) -> None:
    """Scores a file several times.

    Args:
        model: Folder of the SavedModel.
        source: Path of the file.
        kind: One of `KINDS`.
        times: Number of times.
        folder: Folder to write to.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.batch_scoring.beam_scores import FilePair, ScoreFiles

    targets = [f"{folder}/scores_{number}{KINDS[kind]}" for number in range(times)]
    pairs = [FilePair(source, target, KINDS[kind], f"{target}.rejects") for target in targets]
    options = PipelineOptions(["--direct_running_mode=in_memory"])
    with beam.Pipeline("DirectRunner", options) as pipeline:
        _ = pipeline | beam.Create(pairs) | ScoreFiles(model, None, folder, f"{folder}/report.json")


def measure(name: str, rows: int) -> float:
    """Returns the seconds of a case.

    Args:
        name: `EVALUATOR` or one of `KINDS`.
        rows: Number of rows, a multiple of `FILE_ROWS`.
    """
    case = Case(rows, SCENARIOS, OUTPUTS)
    if name == EVALUATOR:
        return evaluate.measure(case)[0]
    spec = make_spec(case)
    with tempfile.TemporaryDirectory(prefix="tfmtl_score_") as folder:
        source = write_file(pathlib.Path(folder), spec, name)
        save_model(pathlib.Path(folder) / "model", spec)
        score(f"{folder}/model", source, name, 1, folder)  # Beam imports some modules with the first pipeline.
        start = time.perf_counter()
        score(f"{folder}/model", source, name, rows // FILE_ROWS, folder)
        return time.perf_counter() - start


def summary(measured: Measured, name: str) -> Summary:
    """Returns the rate of a row of the table.

    Args:
        measured: Seconds of all cases.
        name: `EVALUATOR` or one of `KINDS`.
    """

    def rate(one: str) -> float:
        return (MANY - FEW) / (measured[one, MANY] - measured[one, FEW])

    return Summary(rate(name), rate(name) / rate(EVALUATOR))


def make_table(measured: Measured) -> Table:
    """Creates the table of all cases.

    Args:
        measured: Seconds of all cases.
    """
    shown = Table(title=f"Scoring of simulated rows, {OUTPUTS} outputs", title_justify="left")
    for column in ("", f"{FEW:,} rows: s", f"{MANY:,} rows: s", "each further row: rows/s", "ratio to the Evaluator"):
        shown.add_column(column, justify="right" if column else "left")
    for name in (EVALUATOR, *KINDS):
        found = summary(measured, name)
        title = name if name == EVALUATOR else f"score, {name}"
        seconds = (f"{measured[name, rows]:.1f}" for rows in (FEW, MANY))
        shown.add_row(title, *seconds, f"{found.rate:,.0f}", f"{found.ratio:.2f}")
    return shown


@click.command(help=__doc__)
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(markdown: pathlib.Path | None) -> None:
    """Measures all cases and prints the table."""
    console = Console()
    cases = [(name, rows) for name in (EVALUATOR, *KINDS) for rows in (FEW, MANY)]
    measured = dict(zip(cases, in_processes(measure, cases, "scoring ...", console), strict=True))
    table = make_table(measured)
    console.print(table)
    if markdown:
        page.write_tables(markdown, "score", ("tensorflow", "apache-beam", "pyarrow"), [table])


if __name__ == "__main__":
    main()
