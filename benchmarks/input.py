"""Measure the input pipeline of training: rows per second of each step, and the time that training waits for batches.

The data are those of a finished run: `tfmtl run examples/demo.yaml --data log --out runs/demo`, then
`python -m benchmarks.input examples/demo.yaml runs/demo`.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
import keras
import tensorflow as tf
import tensorflow_transform as tft
from rich.table import Table

from pipelines.runners.lineage import Run, latest_run
from pipelines.runners.local import RunPaths
from pipelines.settings import Settings
from pipelines.settings_file import load_settings
from pipelines.terminal import console
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.row_cache import Cache, cache_folder
from pipelines.training.trainer import vocabulary_sizes
from serving.raw_features import parsing_spec
from tfmtl.models import MultiTaskModel, model_class
from tfmtl.training import InputWait
from tfmtl.training.two_stage import stage_optimizer
from transforms.graph.transform_graph import TransformGraph

_CACHES: tuple[Cache, ...] = ("none", "memory", "disk")
_PARSED_ROWS = 4096


def steps(settings: Settings, files: list[str], transform: Callable[[dict], dict]) -> Iterator[tuple[str, Any]]:
    """Yields datasets that read, parse and transform the rows, each with one more step than the one before.

    Args:
        settings: Settings of the experiment.
        files: TFRecord files of the rows.
        transform: Computes transformed features from raw ones.

    Yields:
        Name of the steps, and the dataset.
    """
    spec, batch_size = settings.spec, settings.training.batch_size
    labels = {label: tf.io.FixedLenFeature([], tf.int64) for label in spec.labels}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    blocks = records.batch(_PARSED_ROWS)
    inputs = InputPipeline(spec, transform, batch_size, settings.training.shuffle_rows)
    yield "read", blocks
    yield "read, parse", blocks.map(lambda block: tf.io.parse_example(block, {**parsing_spec(spec), **labels}))
    yield "read, parse, transform", inputs.blocks(files, 1)
    # As in tutorials: single rows pass through a shuffle buffer.
    parallel = tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=tf.data.AUTOTUNE)
    shuffled = parallel.shuffle(settings.training.shuffle_rows).batch(batch_size)
    yield "all, by row", shuffled.map(inputs.parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def pass_seconds(dataset: Any, passes: int) -> float:
    """Returns the seconds of the fastest pass over a dataset, after one pass that does not count.

    Args:
        dataset: `tf.data.Dataset` that is iterated over.
        passes: Number of passes.
    """
    times = []
    for _ in range(passes + 1):
        start = time.perf_counter()
        for _ in dataset:
            pass
        times.append(time.perf_counter() - start)
    return min(times[1:])


def step_seconds(model: MultiTaskModel, batch: Any, batches: int) -> float:
    """Returns the seconds of training steps on one batch that is in memory.

    Args:
        model: A compiled model.
        batch: Features and labels.
        batches: Number of steps.
    """
    repeated = tf.data.Dataset.from_tensors(batch).repeat(batches)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        model.fit(repeated, verbose=0)
        times.append(time.perf_counter() - start)
    return times[1]


def epoch_seconds(model: MultiTaskModel, inputs: InputPipeline, files: list[str]) -> tuple[float, float]:
    """Measures the second epoch of training.

    Args:
        model: A compiled model.
        inputs: Input pipeline.
        files: TFRecord files of the rows.

    Returns:
        Seconds of the epoch, and the share of them in which no batch was ready.
    """
    wait = InputWait()
    train = wait.watch(inputs.training(files))
    model.fit(train, verbose=0)
    start = time.perf_counter()
    history = model.fit(train, verbose=0, callbacks=[wait]).history
    return time.perf_counter() - start, history["input_wait"][0]


def first_rows(files: list[str], rows: int, folder: str) -> tuple[list[str], int]:
    """Writes a file with the first rows.

    Args:
        files: TFRecord files of the rows.
        rows: Maximum number of rows.
        folder: Folder of the new file.

    Returns:
        The new file, and its number of rows.
    """
    out, count = str(pathlib.Path(folder) / "rows.gz"), 0
    with tf.io.TFRecordWriter(out, "GZIP") as writer:
        for record in tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").take(rows).as_numpy_iterator():
            writer.write(record)
            count += 1
    return [out], count


def new_model(settings: Settings, output: tft.TFTransformOutput) -> MultiTaskModel:
    """Creates and compiles the model of the settings.

    Args:
        settings: Settings of the experiment.
        output: Output of Transform.
    """
    keras.utils.set_random_seed(settings.training.seed)
    sizes = vocabulary_sizes(settings.spec, output)
    model = model_class(settings.model.name).from_spec(settings.spec, sizes, **settings.model.options)
    model.compile(stage_optimizer(settings.training), strategy=settings.training.strategy.strategy())
    return model


def measure(settings: Settings, run: Run, rows: int, passes: int) -> Table:
    """Measures all steps of the input pipeline, and training with each kind of cache.

    Args:
        settings: Settings of the experiment.
        run: Finished run of the experiment.
        rows: Maximum number of training rows.
        passes: Number of passes over a dataset, of which the fastest counts.

    Returns:
        The table of the measurements.
    """
    examples = pathlib.Path(run.uri("LogExampleGen", "examples")) / "Split-train"
    output = tft.TFTransformOutput(run.uri("Transform", "transform_graph"))
    transform, training = TransformGraph(output, settings.spec), settings.training
    table = Table(title=f"Input pipeline of {settings.name!r}", title_justify="left")
    for column in ("", "rows/s", "input wait"):
        table.add_column(column, justify="right" if column else "left")
    with tempfile.TemporaryDirectory() as folder:
        files, count = first_rows([str(path) for path in examples.iterdir()], rows, folder)
        for name, dataset in steps(settings, files, transform):
            table.add_row(name, f"{count / pass_seconds(dataset, passes):,.0f}")
        for cache in _CACHES:
            with cache_folder(cache) as kept:
                inputs = InputPipeline(
                    settings.spec, transform, training.batch_size, training.shuffle_rows, 0, cache, kept
                )
                table.add_row(f"all, cache {cache}", f"{count / pass_seconds(inputs.training(files), passes):,.0f}")
        batch = next(iter(InputPipeline(settings.spec, transform, training.batch_size).training(files)))
        batches = count // training.batch_size
        training_seconds = step_seconds(new_model(settings, output), batch, batches)
        training_rate = batches * training.batch_size / training_seconds
        table.add_row("training without input", f"{training_rate:,.0f}", end_section=True)
        for cache in _CACHES:
            with cache_folder(cache) as kept:
                inputs = InputPipeline(
                    settings.spec, transform, training.batch_size, training.shuffle_rows, 0, cache, kept
                )
                seconds, share = epoch_seconds(new_model(settings, output), inputs, files)
            table.add_row(f"training, cache {cache}", f"{count / seconds:,.0f}", f"{share:.1%}")
    return table


@click.command(help=__doc__)
@click.argument("settings")
@click.argument("run", type=click.Path(exists=True, file_okay=False))
@click.option("--rows", default=100_000, show_default=True, help="Maximum number of training rows.")
@click.option("--passes", default=3, show_default=True, help="Number of passes, of which the fastest counts.")
def main(settings: str, run: str, rows: int, passes: int) -> None:
    """Prints the table of the measurements."""
    paths = RunPaths(pathlib.Path(run))
    console.print(measure(load_settings(settings), latest_run(paths.metadata), rows, passes))


if __name__ == "__main__":
    main()
