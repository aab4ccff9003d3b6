"""Process that trains one epoch on the rows of a run, and writes these rows for a peer (`benchmarks.scale_peers`)."""

import glob
import time
from typing import Any

import numpy as np

from benchmarks.protocol import answer
from benchmarks.timing import peak_memory_mb

LABELS = "labels"
"""Name of the labels in the file of the rows."""
OPTIONS = ("embedding_dim", "bottom_units", "tower_units", "dropout")
"""Options of Shared-Bottom that a peer has too."""


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measures the seconds of an epoch, which reads tf.Examples, transforms, shuffles and trains; nothing is validated.

    Args:
        job: `settings` (a file), `examples` and `transform` (folders of the run), `rows` (a file to write: ids by
            feature and labels of the training rows).
    """
    import keras
    import tensorflow_transform as tft

    from pipelines.settings_file import load_settings
    from pipelines.training.input_pipeline import InputPipeline
    from pipelines.training.trainer import make_optimizer, vocabulary_sizes
    from tfmtl.models import model_class
    from transforms.graph.transform_graph import TransformGraph

    settings = load_settings(job["settings"])
    spec, training = settings.spec, settings.training
    transformed = tft.TFTransformOutput(job["transform"])
    files = sorted(glob.glob(f"{job['examples']}/Split-train/*.gz"))
    inputs = InputPipeline(spec, TransformGraph(transformed, spec), training.batch_size, training.shuffle_rows)
    keras.utils.set_random_seed(training.seed)
    sizes = vocabulary_sizes(spec, transformed)
    model = model_class(settings.model.name).from_spec(spec, sizes, **settings.model.options)
    model.compile(optimizer=make_optimizer(training, files, training.batch_size, training))
    start = time.perf_counter()
    model.fit(inputs.training(files), epochs=1, verbose=0)
    seconds = time.perf_counter() - start
    rows = _write_rows(inputs.evaluation(files), [task.name for task in spec.tasks], job["rows"])
    options = {"batch": training.batch_size, **{name: getattr(model.options, name) for name in OPTIONS}}
    return {"seconds": seconds, "rows": rows, "peak_mb": peak_memory_mb(), "options": options}


def _write_rows(batches: Any, tasks: list[str], path: str) -> int:
    columns: dict[str, list[np.ndarray]] = {}
    for features, labels in batches.as_numpy_iterator():
        for name, values in features.items():
            columns.setdefault(name, []).append(np.asarray(values))
        columns.setdefault(LABELS, []).append(np.stack([np.ravel(labels[task]) for task in tasks], axis=1))
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    np.savez(path, **arrays)
    return len(arrays[LABELS])


if __name__ == "__main__":
    answer(measure)
