"""What the input path of training costs: rows a second of each of its steps, and how long training waits for it.

Of a finished run: `tfmtl run examples/demo.yaml --data log --out runs/demo`, then
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
from pipelines.settings import Settings, load_settings
from pipelines.terminal import console
from pipelines.training.input_pipeline import InputPipeline, cache_folder
from pipelines.training.trainer import vocabulary_sizes
from serving.raw_features import parsing_spec
from tfmtl.models import MultiTaskModel, model_class
from tfmtl.training import InputWait
from tfmtl.training.two_stage import stage_optimizer

_CACHES = ("none", "memory", "disk")
_PARSED_ROWS = 4096


def steps(settings: Settings, files: list[str], transform: Callable[[dict], dict]) -> Iterator[tuple[str, Any]]:
    """Data sets by what they do, each with all that the one before it does."""
    spec, batch_size = settings.spec, settings.training.batch_size
    labels = {label: tf.io.FixedLenFeature([], tf.int64) for label in spec.labels}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    blocks = records.batch(_PARSED_ROWS)
    path = InputPipeline(spec, transform, batch_size, settings.training.shuffle_rows)
    yield "read", blocks
    yield "read, parse", blocks.map(lambda block: tf.io.parse_example(block, {**parsing_spec(spec), **labels}))
    yield "read, parse, transform", path.blocks(files, 1)
    # What tutorials write; the rows pass one by one through a shuffle buffer.
    parallel = tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=tf.data.AUTOTUNE)
    shuffled = parallel.shuffle(settings.training.shuffle_rows).batch(batch_size)
    yield "all, by row", shuffled.map(path.parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def seconds(dataset: Any, passes: int) -> float:
    """Of the fastest of some passes, after one that is not counted."""
    times = []
    for _ in range(passes + 1):
        start = time.perf_counter()
        for _ in dataset:
            pass
        times.append(time.perf_counter() - start)
    return min(times[1:])


def step_seconds(model: MultiTaskModel, batch: Any, batches: int) -> float:
    """Of so many training steps on one batch that is there already."""
    repeated = tf.data.Dataset.from_tensors(batch).repeat(batches)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        model.fit(repeated, verbose=0)
        times.append(time.perf_counter() - start)
    return times[1]


def waiting(model: MultiTaskModel, path: InputPipeline, files: list[str]) -> tuple[float, float]:
    """Seconds of an epoch of training that is not the first, and the share of them in which no batch was ready."""
    wait = InputWait()
    train = wait.watch(path.training(files))
    model.fit(train, verbose=0)
    start = time.perf_counter()
    history = model.fit(train, verbose=0, callbacks=[wait]).history
    return time.perf_counter() - start, history["input_wait"][0]


def first_rows(files: list[str], rows: int, folder: str) -> tuple[list[str], int]:
    """A file with the first rows, and how many there are."""
    out, count = str(pathlib.Path(folder) / "rows.gz"), 0
    with tf.io.TFRecordWriter(out, "GZIP") as writer:
        for record in tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").take(rows).as_numpy_iterator():
            writer.write(record)
            count += 1
    return [out], count


def new_model(settings: Settings, output: tft.TFTransformOutput) -> MultiTaskModel:
    keras.utils.set_random_seed(settings.training.seed)
    sizes = vocabulary_sizes(settings.spec, output)
    model = model_class(settings.model.name).from_spec(settings.spec, sizes, **settings.model.options)
    model.compile(stage_optimizer(settings.training), strategy=settings.training.strategy.strategy())
    return model


def measure(settings: Settings, run: Run, rows: int, passes: int) -> Table:
    """The table."""
    examples = pathlib.Path(run.uri("LogExampleGen", "examples")) / "Split-train"
    output = tft.TFTransformOutput(run.uri("Transform", "transform_graph"))
    transform, training = output.transform_features_layer(), settings.training
    table = Table(title=f"Input path of {settings.name!r}", title_justify="left")
    for column in ("", "rows/s", "input wait"):
        table.add_column(column, justify="right" if column else "left")
    with tempfile.TemporaryDirectory() as folder:
        files, count = first_rows([str(path) for path in examples.iterdir()], rows, folder)
        for name, dataset in steps(settings, files, transform):
            table.add_row(name, f"{count / seconds(dataset, passes):,.0f}")
        for cache in _CACHES:
            with cache_folder(cache) as kept:
                path = InputPipeline(
                    settings.spec, transform, training.batch_size, training.shuffle_rows, 0, cache, kept
                )
                table.add_row(f"all, cache {cache}", f"{count / seconds(path.training(files), passes):,.0f}")
        batch = next(iter(InputPipeline(settings.spec, transform, training.batch_size).training(files)))
        batches = count // training.batch_size
        alone = step_seconds(new_model(settings, output), batch, batches)
        table.add_row("training alone", f"{batches * training.batch_size / alone:,.0f}", end_section=True)
        for cache in _CACHES:
            with cache_folder(cache) as kept:
                path = InputPipeline(
                    settings.spec, transform, training.batch_size, training.shuffle_rows, 0, cache, kept
                )
                took, share = waiting(new_model(settings, output), path, files)
            table.add_row(f"training, cache {cache}", f"{count / took:,.0f}", f"{share:.1%}")
    return table


@click.command(help=__doc__)
@click.argument("settings")
@click.argument("run", type=click.Path(exists=True, file_okay=False))
@click.option("--rows", default=100_000, show_default=True, help="At most so many rows of the training split.")
@click.option("--passes", default=3, show_default=True, help="Of which the fastest counts.")
def main(settings: str, run: str, rows: int, passes: int) -> None:
    paths = RunPaths(pathlib.Path(run))
    console.print(measure(load_settings(settings), latest_run(paths.metadata), rows, passes))


if __name__ == "__main__":
    main()
