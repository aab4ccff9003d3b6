"""Training of a model on prepared data, in the same way as by the pipeline's Trainer."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from pipelines.prepared.prepared import Prepared
from pipelines.prepared.row_sample import sample_batch_size
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.measured_options import with_measured_options
from pipelines.training.row_cache import cache_folder, choose_cache
from pipelines.training.row_counts import batch_size
from pipelines.training.trainer import fit
from pipelines.training_settings import TrainingSettings
from tfmtl.models import model_class
from tfmtl.precision import dtype_policy


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model, with the weights of the best epoch.

    Attributes:
        model: The model.
        inputs: Input pipeline that has read its rows.
        history: Metrics of each epoch by name; by stage if there are two.
        seconds: Seconds of training and validation.
    """

    model: Any
    inputs: InputPipeline
    history: dict[str, Any]
    seconds: float


@contextlib.contextmanager
def train(
    name: str,
    options: Mapping[str, Any],
    training: TrainingSettings,
    data: Prepared,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Iterator[Trained]:
    """Context manager that trains a model; the rows that its inputs have cached exist until its block ends.

    Operations are deterministic: on one machine, the same seed gives the same weights to the last bit. The seeds and
    TensorFlow's determinism are those of the whole process.

    Args:
        name: Name of the model.
        options: Options of the model, as plain data.
        training: Training settings.
        data: Prepared data.
        callbacks: Further callbacks of Keras.

    Yields:
        The trained model.
    """
    strategy = training.distribution.strategy()
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()
    files = {split: data.files(split) for split in ("train", "eval")}
    rows_per_step = sample_batch_size(batch_size(training, data.whole().files("train")), data.fraction)
    inputs = InputPipeline(data.spec, data.transform(), rows_per_step)
    options = with_measured_options(name, options, training, inputs, files["train"])
    with strategy.scope(), dtype_policy(training.precision):
        model = model_class(name).from_spec(data.spec, data.vocabulary_sizes(), **options)
    cache = choose_cache(training.cache, files["train"])
    with cache_folder(cache) as folder:
        reading = (rows_per_step, training.shuffle_rows, training.seed, cache, folder)
        inputs = InputPipeline(data.spec, data.transform(), *reading)
        start = time.perf_counter()
        history = fit(model, inputs, files, training, watch_input=False, callbacks=callbacks)
        yield Trained(model, inputs, history, time.perf_counter() - start)
