"""Module that Trainer loads: `run_fn` trains the model of the settings and exports it."""

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from pipelines.progress.training import TrainingProgress
from pipelines.settings import KERAS_MODEL, ModelSettings
from pipelines.training.calibrate import calibrate
from pipelines.training.checkpoints import make_recovery, remove_checkpoints
from pipelines.training.determinism import deterministic_operations
from pipelines.training.health import measure_mechanisms, print_health, write_health
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.kept_optimizer import KeptOptimizer
from pipelines.training.measured_options import with_measured_options
from pipelines.training.row_cache import cache_folder, choose_cache
from pipelines.training.row_counts import batch_size, count_rows
from pipelines.training.summary import Summary, TrainingDiverged
from pipelines.training.training_only_effects import measure_effects, write_effects
from pipelines.training.warm_start import start_folder, start_from, with_saved_label_means, write_model_run_path
from pipelines.training_settings import LATEST, TrainingSettings
from serving.export import export
from tfmtl import config
from tfmtl.model_inputs import vocabularies
from tfmtl.models import MultiTaskModel, model_class
from tfmtl.precision import dtype_policy
from tfmtl.spec import DatasetSpec
from tfmtl.training import EpochLines, InputWait, Stage, TwoStage, fit_stage
from tfmtl.training.best_epoch import Divergence
from tfmtl.training.distribution import chief_folder, first_worker_says, is_chief, worker_shard
from tfmtl.training.recovery import Recovery
from tfmtl.training.shifted_schedule import ShiftedSchedule
from tfmtl.training.tensorboard import TensorBoardLog
from tfmtl.training.two_stage import stage_optimizer
from tfmtl.training.vocabularies import Tokens, write_vocabularies
from transforms.graph.transform_graph import TransformGraph

HISTORY = "history.json"
"""Name of the training history in a `model_run` folder."""
TENSORBOARD = "tensorboard"
"""Name of the folder with TensorBoard's logs in a `model_run` folder."""

_WARMUP_ROWS = 256


def run_fn(fn_args: Any) -> None:
    """Trains a model with early stopping, and writes the weights of the best epoch.

    The folder `model_run` receives `model.keras` and `vocabularies/`, from which a later training can start, and
    `history.json`, `training.json` (`pipelines.training.summary`), the folder `tensorboard` with the metrics of each
    epoch, and `health.json`, which says whether the mechanisms of the model are alive (`tfmtl.health.model_health`).
    A training that was killed continues from its newest checkpoint (`pipelines.training.checkpoints`). The SavedModel
    is exported to `serving_model_dir`. Several workers call it with the same arguments, each in its own process.

    Args:
        fn_args: Arguments of TFX's Trainer. `custom_config` holds `spec`, `model`, `training` and `name` of the
            settings, as plain data, and the format of the log's files under `data`, which the export describes.
            `hyperparameters`, of the step Tuner, has another `model` and `training`, or is None.
    """
    with warnings.catch_warnings():
        # `load_settings` has warned about old names with file and line, and those in an old model cannot be changed.
        warnings.simplefilter("ignore", config.RenamedWarning)
        settings = _from_config({**fn_args.custom_config, **_tuned(fn_args.hyperparameters)})
        with deterministic_operations(settings[2].deterministic):
            _train_and_export(fn_args, *settings)


def _train_and_export(
    fn_args: Any, spec: DatasetSpec, model_settings: ModelSettings, training: TrainingSettings, name: str
) -> None:
    strategy = training.distribution.strategy()
    keras.utils.set_random_seed(training.seed)
    transformed = tft.TFTransformOutput(fn_args.transform_output)
    transform = TransformGraph(transformed, spec)
    files = {"train": tf.io.gfile.glob(fn_args.train_files), "eval": tf.io.gfile.glob(fn_args.eval_files)}

    cache = choose_cache(training.cache, files["train"])
    rows_per_step = batch_size(training, files["train"])
    batching = (rows_per_step, training.shuffle_rows, training.seed, cache)
    start = start_folder(training.warm_start, fn_args.base_model)
    options = with_saved_label_means(model_settings.options, start)
    inputs = InputPipeline(spec, transform, rows_per_step)
    options = with_measured_options(model_settings.name, options, training, inputs, files["train"])
    with strategy.scope(), dtype_policy(training.precision):
        model = model_class(model_settings.name).from_spec(spec, vocabulary_sizes(spec, transformed), **options)
    tokens = {feature: transformed.vocabulary_by_name(feature) for feature in vocabularies(spec)}
    kept = None
    if start is not None:
        continued = None if training.keep_days is None else type(stage_optimizer(training)).__name__
        kept = start_from(start, model, tokens, optimizer=continued)
    elif training.warm_start == LATEST:
        print("    no blessed model to start from: training starts from random weights")

    recovery, summary = make_recovery(fn_args, training, strategy, files["train"], rows_per_step), Summary(training)
    with cache_folder(cache) as folder:
        reader = InputPipeline(spec, transform, *batching, folder)
        callbacks = [TensorBoardLog(os.path.join(fn_args.model_run_dir, TENSORBOARD))] if is_chief(strategy) else []
        try:
            watch_input, started = not training.deterministic, None if kept is None else (kept, tokens)
            history = fit(model, reader, files, training, watch_input, callbacks, recovery, summary.note, started)
            summary.check_weights(model)
        except TrainingDiverged:
            remove_checkpoints(recovery if is_chief(strategy) else None)
            raise

    with chief_folder(strategy, fn_args.model_run_dir) as folder:
        tf.io.gfile.makedirs(folder)
        model.save(os.path.join(folder, KERAS_MODEL))
    if not is_chief(strategy):
        first_worker_says(strategy, True)  # Waits for the export; if the first worker is lost before, all start again.
        return
    if tf.distribute.get_strategy() is not strategy:  # The exported graph must not refer to replicas.
        model = keras.saving.load_model(os.path.join(fn_args.model_run_dir, KERAS_MODEL), compile=False)
    write_vocabularies(fn_args.model_run_dir, tokens)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY), "w") as file:
        json.dump(history, file, indent=1)
    summary.write(fn_args.model_run_dir, None if recovery is None else recovery.resumed_step)
    healths, profiles = measure_mechanisms(model, inputs, files["eval"])
    print_health(healths)
    write_health(fn_args.model_run_dir, healths, profiles)
    write_effects(fn_args.model_run_dir, measure_effects(model, spec, transform, files))
    rows = tf.data.TFRecordDataset(files["eval"], compression_type="GZIP").take(_WARMUP_ROWS)
    warmup = list(rows.as_numpy_iterator())
    log_format = fn_args.custom_config.get("data", {})
    folder = fn_args.serving_model_dir
    export(model, transform, folder, warmup_examples=warmup, model_name=name, log_format=log_format)
    write_model_run_path(fn_args.serving_model_dir, fn_args.model_run_dir)
    remove_checkpoints(recovery)
    first_worker_says(strategy, True)


def fit(
    model: MultiTaskModel,
    inputs: InputPipeline,
    files: Mapping[str, list[str]],
    training: TrainingSettings,
    watch_input: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    recovery: Recovery | None = None,
    on_divergence: Callable[[Divergence], object] | None = None,
    kept: tuple[KeptOptimizer, Tokens] | None = None,
) -> dict[str, Any]:
    """Trains a model, which has the weights of the best epoch and calibrated heads afterwards.

    Args:
        model: Built model.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the splits `train` and `eval`.
        training: Settings of the training.
        watch_input: Measures `input_wait` (see `tfmtl.training.InputWait`). This requires that deterministic operations
            are not enabled in TensorFlow, as they exclude a clock.
        callbacks: Further callbacks of Keras.
        recovery: Checkpoints from which the training continues; None for none.
        on_divergence: Function to call if a stage stopped because a loss was NaN or infinite.
        kept: Optimizer that the first stage continues, and the tokens of the model's vocabularies; None for a new one.

    Returns:
        The metrics of each epoch by name, `input_wait` included; by stage if the settings have a second stage.
    """
    wait = InputWait()

    def optimizer_of(stage: Stage) -> keras.optimizers.Optimizer:
        continues = kept if stage is training else None
        first_step = 0 if continues is None else continues[0].steps
        optimizer = make_optimizer(training, files["train"], inputs.batch_size, stage, first_step)
        if continues is not None:
            continues[0].restore(optimizer, model, continues[1])
        return optimizer

    options: dict[str, Any] = {
        "make_optimizer": optimizer_of,
        "callbacks": [wait, EpochLines(), TrainingProgress(inputs.batch_size), *callbacks],
        "seed": training.seed,
        "recovery": recovery,
        "on_divergence": on_divergence,
        "shuffle": False,
        "verbose": 0,
    }
    share = worker_shard(model.replica_strategy)
    train = inputs.training(files["train"], share, None if recovery is None else recovery.position)
    train = wait.watch(train) if watch_input else train
    validation = inputs.evaluation(files["eval"], share)
    with warnings.catch_warnings():
        # Keras warns at the end of every epoch whose number of batches it does not know in advance.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        history: dict[str, Any]
        if training.second_stage is None:
            history = fit_stage(model, training, train, validation, **options)
        else:
            history = TwoStage(training, training.second_stage).fit(model, train, validation, **options)
    calibrate(model, inputs, files["eval"])
    return history


def make_optimizer(
    training: TrainingSettings, files: list[str], rows_per_step: int, stage: Stage, first_step: int = 0
) -> keras.optimizers.Optimizer:
    """Creates the optimizer of a stage of training.

    Args:
        training: Settings of the training, with the learning-rate schedule of its first stage.
        files: TFRecord files of the training split, whose rows are counted for a schedule.
        rows_per_step: Batch size.
        stage: Stage to create the optimizer for.
        first_step: Number of steps of an earlier training that the optimizer continues.
    """
    rate: Any = stage.learning_rate
    if stage is training and training.schedule == "cosine":
        steps = stage.max_epochs * math.ceil(count_rows(files) / rows_per_step)
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
        rate = ShiftedSchedule(rate, first_step) if first_step else rate
    return stage.optimizer.optimizer(rate)


def vocabulary_sizes(spec: DatasetSpec, transformed: tft.TFTransformOutput) -> dict[str, int]:
    """Returns the number of tokens in each vocabulary, by feature.

    Args:
        spec: Spec of the dataset.
        transformed: Output of Transform.
    """
    return {name: transformed.vocabulary_size_by_name(name) for name in vocabularies(spec)}


def _tuned(best: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the model and the training of the step Tuner (`pipelines.tuning.tuner_step`), if there is one."""
    return {name: best[name] for name in ("model", "training")} if best else {}


def _from_config(custom: Mapping[str, Any]) -> tuple[DatasetSpec, Any, Any, str]:
    document = config.Document(dict(custom))
    return (
        config.build(DatasetSpec, document, ("spec",)),
        config.build(ModelSettings, document, ("model",)),
        config.build(TrainingSettings, document, ("training",)),
        custom["name"],
    )
