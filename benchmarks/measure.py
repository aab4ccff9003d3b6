"""Process that measures the training step of a model, on TensorFlow."""

import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import protocol
from benchmarks.batches import FIELDS, TASKS, Batch, field_sizes, log_batches, zipf_ids
from benchmarks.flops import count_flops
from benchmarks.on_tensorflow import peak_memory_mb, use_device
from benchmarks.timing import seconds_per_step
from tfmtl import DatasetSpec, config
from tfmtl.features import WEIGHTS_SUFFIX
from tfmtl.model_inputs import embedding_rows, transformed_inputs
from tfmtl.models import MODELS, AdaFTR, MMoE, MultiTaskModel
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning
from tfmtl.types import Features, Tensor

_PANELS = pathlib.Path(__file__).parents[1] / "examples" / "m2m.yaml"
_PANEL_IDS = "category"
"""Feature of the panels that has the ids which remain after those of the other features."""
_MEAN_COUNT = 4.0


class KerasEmbeddings(keras.layers.Layer):
    """Embeddings of all fields from one `keras.layers.Embedding` per field, as users of Keras write them.

    Args:
        rows: Number of ids by field.
        dim: Width of an embedding.

    Call arguments:
        inputs: Ids by field, `(batch,)`.

    Returns:
        `(batch, fields, dim)`.
    """

    def __init__(self, rows: Mapping[str, int], dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = {name: keras.layers.Embedding(count, dim, name=name) for name, count in rows.items()}

    def call(self, inputs: Features) -> Tensor:
        return keras.ops.stack([table(inputs[name]) for name, table in self.tables.items()], axis=1)


class KerasMMoE(MMoE):
    """MMoE with the embeddings of Keras."""

    def make_embedding(self) -> keras.layers.Layer:
        return KerasEmbeddings(embedding_rows(self.spec, self.vocabulary_sizes), self.options.embedding_dim)


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Measures time, operations and peak memory of a training step of a model.

    Args:
        job: A job of `benchmarks.rows`, with the settings of the run.

    Raises:
        RuntimeError: If TensorFlow does not find the device.
    """
    with use_device(job["device"]):
        return measure_model(job)


def measure_model(job: Mapping[str, Any]) -> dict[str, Any]:
    """Measures time, operations and peak memory of a training step of a model on the current device.

    Args:
        job: The job, with the settings of the run.
    """
    keras.config.set_dtype_policy(job["policy"])
    keras.utils.set_random_seed(job["seed"])
    model, batches = make_model(job), make_batches(job)
    pool = [keras.tree.map_structure(tf.constant, one) for one in batches]
    steps = training_steps(model, pool)
    seconds, blocks = seconds_per_step(steps, job["seconds"], job["warm_up"])
    result = {"seconds": seconds, "blocks": blocks, "batch": job["batch"], "parameters": model.count_params()}
    result["peak_mb"] = peak_memory_mb(job["device"])
    if job["count_flops"]:
        result["flops"], forward = step_flops(model, pool[0])
        if not job["strategy"]:  # A strategy may have several forward passes in a step.
            result["forward_flops"] = forward
    return result


def make_model(job: Mapping[str, Any]) -> MultiTaskModel:
    """Returns the compiled model of a job.

    Args:
        job: The job.
    """
    kind, options = MODELS[job["model"]], dict(job["options"])
    if "preset" in options:
        options = {**_preset(kind, options.pop("preset")), **options}
    if job["embedding"] == "keras":
        kind = KerasMMoE
    spec = make_spec(job["spec"])
    model = kind.from_spec(spec, vocabulary_sizes(spec, job["ids"]), **options)
    optimizer = RowSparseAdam() if job["optimizer"] == "row_sparse" else keras.optimizers.Adam()
    model.compile(optimizer, strategy=MetaLearning(**job["strategy"]) if job["strategy"] else None)
    return model


def _preset(kind: type[MultiTaskModel], name: str) -> dict[str, Any]:
    """Returns the options of a preset; `adaftr/<name>` is the backbone of a preset of AdaFTR."""
    if not name.startswith("adaftr/"):
        return kind.preset(name)
    options = AdaFTR.preset(name.removeprefix("adaftr/"))
    common = {"embedding_dim": options["embedding_dim"], "space": AdaFTR.options_class().space}
    return {**common, **options["backbone_options"]}


def make_spec(name: str) -> DatasetSpec:
    """Returns the spec of a job.

    Args:
        name: `log` for categorical fields and a chain of two tasks, `panels` for the panels of the example of M2M.
    """
    if name == "panels":
        return config.build(DatasetSpec, config.read_yaml(_PANELS), ("spec",))
    features = [{"name": field, "kind": "categorical"} for field in field_sizes(10**6, FIELDS)]
    click, purchase = TASKS
    tasks = [{"name": click, "label": click}, {"name": purchase, "label": purchase, "follows": click}]
    return DatasetSpec.from_dict({"name": "log", "features": features, "tasks": tasks})


def vocabulary_sizes(spec: DatasetSpec, ids: int) -> dict[str, int]:
    """Returns the number of tokens by feature with which the embedding table has a number of rows.

    Args:
        spec: Spec of a job.
        ids: Number of rows of the embedding table.
    """
    if _PANEL_IDS not in {feature.name for feature in spec.features}:
        return {name: size - 1 for name, size in field_sizes(ids, FIELDS).items()}  # One row is for unseen tokens.
    sizes = {feature.name: 5 for feature in spec.features if feature.kind == "categorical"}
    rest = ids - sum(embedding_rows(spec, sizes).values())
    return {**sizes, _PANEL_IDS: sizes[_PANEL_IDS] + rest}


def make_batches(job: Mapping[str, Any]) -> list[Batch]:
    """Draws the batches that a job uses in turn.

    Args:
        job: The job, with the settings of the run.
    """
    if job["spec"] == "log":
        return log_batches(job["ids"], job["batch"], job["pool"], job["seed"])
    spec, rng = make_spec(job["spec"]), np.random.default_rng(job["seed"])
    rows, count = embedding_rows(spec, vocabulary_sizes(spec, job["ids"])), job["pool"]
    batches: list[Batch] = [({}, {}) for _ in range(count)]
    for one in transformed_inputs(spec):
        shape = (count, job["batch"], *one.shape)
        weights = one.name.endswith(WEIGHTS_SUFFIX)  # No day is missing.
        drawn = np.ones(shape, "float32") if weights else zipf_ids(rng, rows[one.name], shape)
        for (features, _), values in zip(batches, drawn, strict=True):
            features[one.name] = values
    for task in spec.tasks:
        for _, labels in batches:
            labels[task.name] = rng.poisson(_MEAN_COUNT, job["batch"]).astype("float32")
    return batches


def training_steps(model: MultiTaskModel, pool: Sequence[Any]) -> Callable[[int], None]:
    """Returns a function that trains as many steps as its argument says, with an unknown batch size as in `fit`.

    Args:
        model: A compiled model.
        pool: Batches that are used in turn.

    Raises:
        FloatingPointError: If the loss is not finite, when the function is called.
    """
    like = keras.tree.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), pool[0])
    step = tf.function(lambda *data: model.train_step(data)["loss"], input_signature=like, autograph=False)
    batches = itertools.cycle(pool)

    def steps(number: int) -> None:
        for _ in range(number):
            loss = step(*next(batches))
        if not np.isfinite(loss.numpy()):  # Reading the loss waits for the device.
            raise FloatingPointError(f"the loss should be finite. Received: {loss.numpy()}")

    return steps


def step_flops(model: MultiTaskModel, batch: tuple[Any, Any]) -> tuple[int, int]:
    """Counts the operations of the matrix products of a training step, and of its forward pass alone.

    Args:
        model: A compiled model.
        batch: Features and labels.
    """
    with count_flops() as step:
        model.train_step(batch)
    with count_flops() as forward:
        model.compute_losses(*batch, training=True)
    return step.total, forward.total


if __name__ == "__main__":
    protocol.answer(run)
