"""Process that runs the pipeline on a log of many features or long lists (see `benchmarks.wide`)."""

import pathlib
import sys
import time
from typing import Any

from benchmarks.protocol import answer

_ROUNDS = 50
_EPOCHS = 3


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the pipeline, and measures training and one request of its model.

    Args:
        job: `settings` (a file, beside which the log lies), `out` (a folder) and `lists` (whether to train once more
            with the padding of the lists).

    Returns:
        `seconds` of each component; `rows_per_second` of training without and with lookups of padding, or the first of
        them; `milliseconds` of a request of one row; `model`, the folder of the model's versions.
    """
    from pipelines.runners.local import RunPaths, run_pipeline
    from pipelines.settings_file import load_settings

    settings = load_settings(job["settings"], data=str(pathlib.Path(job["settings"]).parent))
    paths, seconds = RunPaths(pathlib.Path(job["out"])), {}

    def on_progress(name: str, event: str) -> None:
        seconds[name] = time.monotonic() if event == "start" else time.monotonic() - seconds[name]

    run = run_pipeline(settings, paths, on_progress, cache=False)
    limits = [None, sys.maxsize] if job["lists"] else [None]
    rates = [_rows_per_second(settings, run, limit) for limit in limits]
    served = paths.root.absolute() / "served"
    served.mkdir()
    # That of the Trainer: a model of few rows may not be pushed.
    (served / "1").symlink_to(pathlib.Path(run.uri("Trainer", "model")) / "Format-Serving")
    milliseconds = _milliseconds(served / "1")
    return {"seconds": seconds, "rows_per_second": rates, "milliseconds": milliseconds, "model": str(served)}


def _rows_per_second(settings: Any, run: Any, max_padded_columns: int | None) -> float:
    """Measures the epochs after the first one, whose rows are in memory.

    Args:
        settings: Settings of the run.
        run: Finished run.
        max_padded_columns: Number of columns up to which the padding of lists is looked up; None for the default.
    """
    import tensorflow_transform as tft

    from benchmarks.input import new_model
    from pipelines.training.input_pipeline import InputPipeline
    from pipelines.training.row_counts import count_rows
    from tfmtl.layers import fused_embedding
    from transforms.graph.transform_graph import TransformGraph

    default = fused_embedding.MAX_PADDED_COLUMNS
    fused_embedding.MAX_PADDED_COLUMNS = default if max_padded_columns is None else max_padded_columns
    try:
        output = tft.TFTransformOutput(run.uri("Transform", "transform_graph"))
        files = [str(path) for path in (pathlib.Path(run.uri("LogExampleGen", "examples")) / "Split-train").iterdir()]
        transform, batch_size = TransformGraph(output, settings.spec), settings.training.batch_size
        train = InputPipeline(settings.spec, transform, batch_size, cache="memory").training(files)
        model = new_model(settings, output)
        model.fit(train, verbose=0)
        start = time.perf_counter()
        model.fit(train, epochs=_EPOCHS, verbose=0)
        return _EPOCHS * count_rows(files) / (time.perf_counter() - start)
    finally:
        fused_embedding.MAX_PADDED_COLUMNS = default


def _milliseconds(folder: pathlib.Path) -> float:
    """Returns the milliseconds of the fastest of some requests of one row of raw features."""
    import tensorflow as tf

    from serving import protos
    from serving.requests.limits import Limits
    from serving.requests.predict_request import parse_predict_request
    from serving.servable import Servable
    from serving.warmup import WARMUP

    records = tf.data.TFRecordDataset(str(folder / WARMUP)).as_numpy_iterator()
    requests = [protos.PredictionLog.FromString(record).predict_log.request for record in records]
    data = next(request for request in requests if request.model_spec.signature_name == "raw").SerializeToString()
    servable, times = Servable(folder), []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        servable.predict("raw", parse_predict_request(data, Limits()).inputs)
        times.append(time.perf_counter() - start)
    servable.close()
    return 1000 * min(times)


if __name__ == "__main__":
    answer(measure)
