"""Measure the pipeline's evaluation of simulated test splits, compared with TensorFlow Model Analysis (TFMA).

Each case runs in a process of its own. The model returns random scores, so that the times are those of the evaluation:
reading and parsing the rows, accumulating, GAUC, and the metrics of all slices. The rows of one file are evaluated
several times over, with other scores each time. Times include the loading of the model, and exclude imports.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import pathlib
import resource
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import page

FILE_ROWS = 20_000


@dataclasses.dataclass(frozen=True)
class Case:
    """Test split, and who evaluates it.

    Attributes:
        rows: Number of rows, a multiple of `FILE_ROWS`.
        scenarios: Number of scenarios; 0 for a spec without scenario.
        outputs: Number of outputs: 2 for two tasks, or 2 n - 1 for a chain of n tasks.
        by_tfma: True for TFMA, which does not compute GAUC.
    """

    rows: int
    scenarios: int
    outputs: int
    by_tfma: bool = False


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


def make_spec(case: Case) -> Any:
    """Returns the spec of a case, grouped by user.

    Args:
        case: The case.
    """
    from tfmtl.features import CategoricalFeature
    from tfmtl.spec import DatasetSpec, Task

    is_chain = case.outputs % 2 == 1
    names = [f"task_{number}" for number in range((case.outputs + 1) // 2 if is_chain else case.outputs)]
    tasks = tuple(Task(name, name, follows=names[i - 1] if i and is_chain else None) for i, name in enumerate(names))
    features = (CategoricalFeature("user"), CategoricalFeature("page"))
    return DatasetSpec("simulated", features, tasks, scenario="page" if case.scenarios else None, group_key="user")


def write_rows(path: pathlib.Path, spec: Any, scenarios: int) -> None:
    """Writes tf.Examples of users, pages and labels, of which half as many are positive with each further task.

    Args:
        path: TFRecord file, compressed with GZIP.
        spec: Spec of the rows.
        scenarios: Number of pages.
    """
    import tensorflow as tf

    rng = np.random.default_rng(0)
    users, pages = rng.integers(0, 5_000, FILE_ROWS), rng.integers(0, max(scenarios, 1), FILE_ROWS)
    depths = rng.geometric(0.5, FILE_ROWS) - 1
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for user, shown, depth in zip(users, pages, depths, strict=True):
            example = tf.train.Example()
            columns = example.features.feature
            columns["user"].bytes_list.value.append(str(user).encode())
            columns["page"].bytes_list.value.append(str(shown).encode())
            for number, label in enumerate(spec.labels):
                columns[label].int64_list.value.append(int(number < depth))
            writer.write(example.SerializeToString())


def save_model(folder: pathlib.Path, outputs: Sequence[str]) -> None:
    """Saves a model that returns random scores.

    Args:
        folder: Folder of the SavedModel.
        outputs: Names of the outputs.
    """
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")], autograph=False)
    def score(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.sigmoid(tf.random.normal([tf.size(examples), 1], -1.0)) for name in outputs}

    module.score = score
    tf.saved_model.save(module, str(folder), signatures={"serving_default": score})


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
        save_model(folder / "model", [output.name for output in spec.outputs])
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
    slices = (seconds[MANY_SCENARIOS] - seconds[NO_SCENARIO]) / MANY_SCENARIOS.scenarios
    shown = Table(title="Differences and ratios of these times", title_justify="left")
    shown.add_column("")
    shown.add_column("value", justify="right")
    shown.add_row("each further row of 10 scenarios and 3 outputs, tfmtl", f"{own:,.0f} rows/s")
    shown.add_row("each further row of 10 scenarios and 3 outputs, TFMA", f"{tfma:,.0f} rows/s")
    shown.add_row("ratio of the two", f"{own / tfma:.0f}")
    shown.add_row("each of 1,000 scenarios", f"{1000 * slices:.1f} ms")
    shown.add_row("39 outputs, compared with 2", f"{seconds[MANY_OUTPUTS] / seconds[FEW_OUTPUTS]:.1f} times")
    return shown


@click.command(help=__doc__)
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(markdown: pathlib.Path | None) -> None:
    """Measures all cases and prints the tables."""
    console = Console()
    measured = {}
    for case in track(CASES, "evaluating ...", console=console):
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as process:
            measured[case] = process.submit(measure, case).result()
    tables = make_table(measured), make_summary(measured)
    for table in tables:
        console.print(table)
    if markdown:
        notes = page.environment_notes("benchmarks.evaluate", ("tfx", "tensorflow", "tensorflow-model-analysis"))
        text = "\n".join(["\n".join(f"- {note}" for note in notes) + "\n", *map(page.markdown_table, tables)])
        page.write_section(markdown, "evaluate", text)


if __name__ == "__main__":
    main()
