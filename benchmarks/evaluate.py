"""Measure the evaluation of a run's model on its test rows, compared with TensorFlow Model Analysis on the same rows.

The run is a folder that `tfmtl run SETTINGS --out RUN` wrote. Its test split is evaluated several times over, as one
split, by both; the times include the loading of the model and exclude imports.
"""

import math
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page


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


def seconds(evaluate: Callable[..., None], *arguments: Any) -> float:
    """Returns the seconds of one evaluation in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="tfmtl_evaluate_") as folder:
        start = time.perf_counter()
        evaluate(*arguments, folder)
        return time.perf_counter() - start


def make_table(measured: dict[str, dict[int, float]]) -> Table:
    """Creates the table: seconds and rows per second by number of rows, and those of each further row.

    Args:
        measured: Seconds by number of rows, by the name of what is measured; the last one is compared with the first.
    """
    shown = Table(title="Evaluation of a test split", title_justify="left")
    for column in ("", "rows", "s", "rows/s", "each further row: rows/s"):
        shown.add_column(column, justify="right" if column else "left")
    rates = {}
    for name, times in measured.items():
        few, many = min(times), max(times)
        rates[name] = (many - few) / (times[many] - times[few]) if many > few else math.nan
        for rows, taken in sorted(times.items()):
            rate = f"{rates[name]:,.0f}" if rows == many and not math.isnan(rates[name]) else ""
            shown.add_row(name, f"{rows:,}", f"{taken:.1f}", f"{rows / taken:,.0f}", rate)
    if len(rates) == 2:
        first, last = rates.values()
        shown.add_row("ratio", "", "", "", f"{first / last:.0f}")
    return shown


@click.command(help=__doc__)
@click.argument("settings", type=click.Path(exists=True, dir_okay=False))
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path))
@click.option("--repeats", default="10,100", show_default=True, help="Numbers of repetitions of the split.")
@click.option("--tfma-repeats", default="1,2", show_default=True, help="Those of TFMA; empty for none.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(settings: str, run: pathlib.Path, repeats: str, tfma_repeats: str, markdown: pathlib.Path | None) -> None:
    """Measures both and prints the table."""
    import tensorflow as tf

    from pipelines.runners.lineage import latest_run
    from pipelines.settings_file import load_settings

    console = Console()
    spec = load_settings(settings).spec
    latest = latest_run(run / "metadata.sqlite")
    model = f"{latest.uri('Trainer', 'model')}/Format-Serving"
    files = sorted(tf.io.gfile.glob(f"{latest.uri('LogExampleGen', 'examples')}/Split-test/*"))
    rows = sum(1 for _ in tf.data.TFRecordDataset(files, compression_type="GZIP"))
    measured: dict[str, dict[int, float]] = {}
    for name, evaluate, counts in (
        ("tfmtl", tfmtl_evaluation, repeats),
        ("TFMA", tfma_evaluation, tfma_repeats),
    ):
        for count in filter(None, counts.split(",")):
            with console.status(f"{name}, {int(count) * rows:,} rows ..."):
                taken = seconds(evaluate, spec, model, files * int(count))
            measured.setdefault(name, {})[int(count) * rows] = taken
    shown = make_table(measured)
    console.print(shown)
    if markdown:
        notes = page.environment_notes("benchmarks.evaluate", ("tfx", "tensorflow", "tensorflow-model-analysis"))
        text = "\n".join(["\n".join(f"- {note}" for note in notes) + "\n", page.markdown_table(shown)])
        page.write_section(markdown, "evaluate", text)


if __name__ == "__main__":
    main()
