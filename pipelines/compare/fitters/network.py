"""The models of `tfmtl`, trained as the pipeline's Trainer trains them."""

import dataclasses
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.compare.data.prepared import Prepared
from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from pipelines.settings import TrainingSettings
from pipelines.training.input_pipeline import InputPipeline, cache_folder, choose_cache
from pipelines.training.trainer import fit
from tfmtl import config
from tfmtl.models import model_class
from tfmtl.precision import dtype_policy


@dataclasses.dataclass(frozen=True)
class Network:
    """Trains until early stopping and scores with the best epoch's weights.

    Operations are deterministic: the same seed gives the same scores to the last bit on one machine.
    """

    network: bool = True
    tunable: bool = True
    seeded: bool = True

    def options_class_of(self, model: str) -> Any:
        """The options of the model itself."""
        return model_class(model).options_class

    def fit(self, job: Job, data: Prepared) -> Fitted:
        """See `Fitter`. It sets the seeds and TensorFlow's determinism of the whole process."""
        training: TrainingSettings = config.build(TrainingSettings, config.Document({**job.training, "seed": job.seed}))
        strategy = training.distribution.strategy()
        keras.utils.set_random_seed(job.seed)
        tf.config.experimental.enable_op_determinism()
        with strategy.scope(), dtype_policy(training.precision):
            model = model_class(job.model).from_spec(data.spec, data.vocabulary_sizes(), **job.options)
        files = {split: data.files(split) for split in ("train", "eval", "test")}
        cache = choose_cache(training.cache, files["train"])
        with cache_folder(cache) as folder:
            reading = (training.batch_size, training.shuffle_rows, training.seed, cache, folder)
            inputs = InputPipeline(data.spec, data.transform(), *reading)
            start = time.perf_counter()
            history = fit(model, inputs, files, training, watch_input=False)
            training_seconds = time.perf_counter() - start
            scores = {split: _score(model, inputs, files[split]) for split in ("eval", "test")}
        return Fitted(
            {split: found for split, (found, _) in scores.items()},
            model.count_params(),
            training_seconds,
            scores["test"][1],
            _joined(history),
        )


def _score(model: Any, inputs: InputPipeline, files: list[str]) -> tuple[dict[str, np.ndarray], float]:
    """The scores by output, and the seconds that a second pass takes, when rows are in memory and the graph is made."""
    rows = inputs.evaluation(files)
    first = model.predict(rows, verbose=0)
    start = time.perf_counter()
    model.predict(rows, verbose=0)
    return {name: np.asarray(values, np.float32) for name, values in first.items()}, time.perf_counter() - start


def _joined(history: dict[str, Any]) -> dict[str, list[float]]:
    """The epochs of all stages, one after another."""
    if all(isinstance(values, list) for values in history.values()):
        return history
    stages = list(history.values())
    names = [name for name in stages[0] if all(name in stage for stage in stages)]
    return {name: [value for stage in stages for value in stage[name]] for name in names}
