"""Measure the pipeline's evaluation of simulated test splits, compared with TensorFlow Model Analysis (TFMA).

Each case runs in a process of its own. The model returns random scores, so that the times are those of the evaluation:
reading and parsing the rows, accumulating, GAUC, and the metrics of all slices. The rows of one file are evaluated
several times over, with other scores each time. Times include the loading of the model, and exclude imports.
"""

import pathlib
import resource
import tempfile
import time
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.evaluation_cases import FILE_ROWS, Case, make_spec, save_model, write_rows
from benchmarks.processes import in_processes

FEW, MANY = Case(200_000, 10, 3), Case(1_000_000, 10, 3)
TFMA_FEW, TFMA_MANY = Case(20_000, 10, 3, by_tfma=True), Case(60_000, 10, 3, by_tfma=True)
NO_SCENARIO, MANY_SCENARIOS = Case(1_000_000, 0, 3), Case(1_000_000, 1_000, 3)
FEW_OUTPUTS, MANY_OUTPUTS = Case(1_000_000, 0, 2), Case(1_000_000, 0, 39)
LARGE = Case(10_000_000, 1_000, 3)
CASES = (TFMA_FEW, TFMA_MANY, FEW, MANY, NO_SCENARIO, MANY_SCENARIOS, FEW_OUTPUTS, MANY_OUTPUTS, LARGE)
Measured = dict[Case, tuple[float, float]]
"""Seconds and MB by case."""


def tfmtl_evaluation(spec: Any, model: str, files: list[str], folder: str) -> None:
    """Evaluates files with the pipeline's Evaluator, without its gates.

    Args:
        spec: Spec of the dataset.
        model: Folder of the SavedModel.
        files: TFRecord files of tf.Examples, compressed with GZIP.
        folder: Folder to write to.
    """
    import apache_beam as beam

    from pipelines.evaluation.beam_evaluation import EvaluateFiles

    with _pipeline() as pipeline:
        _ = pipeline | beam.Create(files) | EvaluateFiles(spec, model, None, folder)


def tfma_evaluation(spec: Any, model: str, files: list[str], folder: str) -> None:
    """Evaluates files with TFMA: AUC of 10,000 thresholds, calibration, log loss, mean label and number of rows.

    Args:
        spec: Spec of the dataset.
        model: Folder of the SavedModel.
        files: TFRecord files of tf.Examples, compressed with GZIP.
        folder: Folder to write to.
    """
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from tfx_bsl.public import tfxio

    from pipelines.evaluation.eval_config import eval_config

    config = eval_config(spec)
    for specs in config.metrics_specs:
        for metric in specs.metrics:
            if metric.class_name == "AUC":
                metric.config = '{"num_thresholds": 10000}'
    shared = tfma.default_eval_shared_model(eval_saved_model_path=model, eval_config=config)
    with _pipeline() as pipeline:
        parts = []
        for number, file in enumerate(files):
            source = tfxio.TFExampleRecord(file, raw_record_column_name=tfma.ARROW_INPUT_COLUMN)
            parts.append(pipeline | f"read {number}" >> source.BeamSource())
        _ = (
            parts
            | beam.Flatten()
            | tfma.ExtractEvaluateAndWriteResults(eval_shared_model=shared, eval_config=config, output_path=folder)
        )


def _pipeline() -> Any:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    return beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"]))


def measure(case: Case) -> tuple[float, float]:
    """Returns the seconds, and the highest resident memory in MB above that after the imports.

    Args:
        case: The case.
    """
    import apache_beam as beam

    spec = make_spec(case)
    with tempfile.TemporaryDirectory(prefix="tfmtl_evaluate_") as name:
        folder = pathlib.Path(name)
        write_rows(folder / "rows.gz", spec, case.scenarios)
        save_model(folder / "model", spec)
        with _pipeline() as pipeline:  # Beam imports some modules with the first pipeline.
            _ = pipeline | beam.Create([1])
        evaluate = tfma_evaluation if case.by_tfma else tfmtl_evaluation
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        evaluate(spec, str(folder / "model"), [str(folder / "rows.gz")] * (case.rows // FILE_ROWS), name)
        taken = time.perf_counter() - start
        return taken, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def make_table(measured: Measured) -> Table:
    """Creates the table of all cases.

    Args:
        measured: Seconds and MB by case.
    """
    shown = Table(title="Evaluation of simulated test splits", title_justify="left")
    for column in ("", "rows", "scenarios", "outputs", "s", "rows/s", "peak memory, MB"):
        shown.add_column(column, justify="right" if column else "left")
    for case, (taken, memory) in measured.items():
        name = "TFMA" if case.by_tfma else "tfmtl"
        counts = (f"{case.rows:,}", f"{case.scenarios:,}", str(case.outputs))
        shown.add_row(name, *counts, f"{taken:.1f}", f"{case.rows / taken:,.0f}", f"{memory:,.0f}")
    return shown


def make_summary(measured: Measured) -> Table:
    """Creates the table of differences and ratios.

    Args:
        measured: Seconds and MB of all cases.
    """
    seconds = {case: taken for case, (taken, _) in measured.items()}

    def rate(few: Case, many: Case) -> float:
        return (many.rows - few.rows) / (seconds[many] - seconds[few])

    own, tfma = rate(FEW, MANY), rate(TFMA_FEW, TFMA_MANY)
    slices = (seconds[MANY_SCENARIOS] - seconds[MANY]) / (MANY_SCENARIOS.scenarios - MANY.scenarios)
    shown = Table(title="Differences and ratios of these times", title_justify="left")
    shown.add_column("")
    shown.add_column("value", justify="right")
    shown.add_row("each further row of 10 scenarios and 3 outputs, tfmtl", f"{own:,.0f} rows/s")
    shown.add_row("each further row of 10 scenarios and 3 outputs, TFMA", f"{tfma:,.0f} rows/s")
    shown.add_row("ratio of the two", f"{own / tfma:.0f}")
    shown.add_row("each further scenario, of 10 to 1,000", f"{1000 * slices:.1f} ms")
    shown.add_row("39 outputs, compared with 2", f"{seconds[MANY_OUTPUTS] / seconds[FEW_OUTPUTS]:.1f} times")
    return shown


@click.command(help=__doc__)
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(markdown: pathlib.Path | None) -> None:
    """Measures all cases and prints the tables."""
    console = Console()
    results = in_processes(measure, [(case,) for case in CASES], "evaluating ...", console)
    measured = dict(zip(CASES, results, strict=True))
    tables = make_table(measured), make_summary(measured)
    for table in tables:
        console.print(table)
    if markdown:
        page.write_tables(markdown, "evaluate", ("tfx", "tensorflow", "tensorflow-model-analysis"), tables)


if __name__ == "__main__":
    main()
