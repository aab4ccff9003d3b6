"""Measures one model's training step, or one matrix product, in a process of its own."""

import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import protocol
from benchmarks.batches import FIELDS, TASKS, field_sizes, log_batches, zipf_ids
from benchmarks.flops import count_flops
from benchmarks.timing import peak_memory_mb, seconds_per_step
from tfmtl import DatasetSpec, config
from tfmtl.features import WEIGHTS_SUFFIX
from tfmtl.model_inputs import embedding_rows, transformed_inputs
from tfmtl.models import MODELS, AdaFTR, MMoE, MultiTaskModel
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning

_PANELS = pathlib.Path(__file__).parents[1] / "examples" / "m2m.yaml"
_PANEL_IDS = "category"
"""The feature of the panels that gets whatever ids the other ones leave."""
_MEAN_COUNT = 4.0


class KerasEmbeddings(keras.layers.Layer):
    """`(batch, fields, dim)` from one `keras.layers.Embedding` a field: what users of Keras write."""

    def __init__(self, rows: Mapping[str, int], dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.tables = {name: keras.layers.Embedding(count, dim, name=name) for name, count in rows.items()}

    def call(self, inputs):
        return keras.ops.stack([table(inputs[name]) for name, table in self.tables.items()], axis=1)


class KerasMMoE(MMoE):
    """MMoE over Keras's own embeddings."""

    def make_embedding(self):
        return KerasEmbeddings(embedding_rows(self.spec, self.vocabulary_sizes), self.options.embedding_dim)


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a job of `benchmarks.rows`; `device` asks for no more than the device.

    Raises:
        RuntimeError: if TensorFlow does not see the device.
    """
    device = "GPU" if job["device"] == "gpu" else "CPU"
    if not tf.config.list_physical_devices(device):
        raise RuntimeError(f"the device should be one that TensorFlow sees. Received: {job['device']}")
    with tf.device(f"/{device}:0"):
        return _KINDS[job["kind"]](job)


def measure_product(job: Mapping[str, Any]) -> dict[str, Any]:
    """GFLOP/s of `tf.matmul`; the job's `product` is how many of them, and m, k and n."""
    count, m, k, n = job["product"]
    left, right = (tf.cast(tf.random.normal([count, *shape]), job["dtype"]) for shape in ((m, k), (k, n)))
    if count == 1:
        left, right = left[0], right[0]
    product = tf.function(tf.matmul)

    def steps(number: int) -> None:
        for _ in range(number):
            result = product(left, right)
        result[..., 0, 0].numpy()

    seconds, blocks = seconds_per_step(steps, job["seconds"], job["warm_up"])
    return {"seconds": seconds, "blocks": blocks, "flops": 2 * count * m * k * n, "dtype": job["dtype"]}


def measure_model(job: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds a step, FLOPs and peak memory of a model's training."""
    keras.config.set_dtype_policy(job["policy"])
    keras.utils.set_random_seed(job["seed"])
    model, batches = make_model(job), make_batches(job)
    pool = [keras.tree.map_structure(tf.constant, one) for one in batches]
    steps = training_steps(model, pool)
    seconds, blocks = seconds_per_step(steps, job["seconds"], job["warm_up"])
    result = {"seconds": seconds, "blocks": blocks, "batch": job["batch"], "parameters": model.count_params()}
    result["peak_mb"] = _peak_memory_mb(job["device"])
    if job["count_flops"]:
        result["flops"], forward = step_flops(model, pool[0])
        if not job["strategy"]:  # A strategy may need several passes.
            result["forward_flops"] = forward
    return result


def make_model(job: Mapping[str, Any]) -> MultiTaskModel:
    """The compiled model of a job."""
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
    """The options of a preset; `adaftr/<name>` is the backbone of one of AdaFTR's."""
    if not name.startswith("adaftr/"):
        return kind.preset(name)
    options = AdaFTR.preset(name.removeprefix("adaftr/"))
    common = {"embedding_dim": options["embedding_dim"], "space": AdaFTR.options_class().space}
    return {**common, **options["backbone_options"]}


def make_spec(name: str) -> DatasetSpec:
    """`log`: fields of one id and a chain of two tasks. `panels`: those of the example of M2M."""
    if name == "panels":
        return config.build(DatasetSpec, config.read_yaml(_PANELS), ("spec",))
    features = [{"name": field, "kind": "categorical"} for field in field_sizes(10**6, FIELDS)]
    click, purchase = TASKS
    tasks = [{"name": click, "label": click}, {"name": purchase, "label": purchase, "follows": click}]
    return DatasetSpec.from_dict({"name": "log", "features": features, "tasks": tasks})


def vocabulary_sizes(spec: DatasetSpec, ids: int) -> dict[str, int]:
    """Tokens by feature, such that the embedding table has `ids` rows."""
    if _PANEL_IDS not in {feature.name for feature in spec.features}:
        return {name: size - 1 for name, size in field_sizes(ids, FIELDS).items()}  # One row is that of unseen tokens.
    sizes = {feature.name: 5 for feature in spec.features if feature.kind == "categorical"}
    rest = ids - sum(embedding_rows(spec, sizes).values())
    return {**sizes, _PANEL_IDS: sizes[_PANEL_IDS] + rest}


def make_batches(job: Mapping[str, Any]) -> list[tuple[dict, dict]]:
    """The pool of batches that a job goes through again and again."""
    if job["spec"] == "log":
        return log_batches(job["ids"], job["batch"], job["pool"], job["seed"])
    spec, rng = make_spec(job["spec"]), np.random.default_rng(job["seed"])
    rows, count = embedding_rows(spec, vocabulary_sizes(spec, job["ids"])), job["pool"]
    batches: list[tuple[dict, dict]] = [({}, {}) for _ in range(count)]
    for one in transformed_inputs(spec):
        shape = (count, job["batch"], *one.shape)
        weights = one.name.endswith(WEIGHTS_SUFFIX)  # Every day is there.
        drawn = np.ones(shape, "float32") if weights else zipf_ids(rng, rows[one.name], shape)
        for (features, _), values in zip(batches, drawn, strict=True):
            features[one.name] = values
    for task in spec.tasks:
        for _, labels in batches:
            labels[task.name] = rng.poisson(_MEAN_COUNT, job["batch"]).astype("float32")
    return batches


def training_steps(model: MultiTaskModel, pool: Sequence[Any]) -> Callable[[int], None]:
    """A function that takes that many training steps; the graph does not know the batch's size, as in `fit`."""
    like = keras.tree.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), pool[0])
    step = tf.function(lambda *data: model.train_step(data)["loss"], input_signature=like, autograph=False)
    batches = itertools.cycle(pool)

    def steps(number: int) -> None:
        for _ in range(number):
            loss = step(*next(batches))
        if not np.isfinite(loss.numpy()):  # Which also waits for the device.
            raise FloatingPointError(f"the loss should be finite. Received: {loss.numpy()}")

    return steps


def step_flops(model: MultiTaskModel, batch: tuple[Any, Any]) -> tuple[int, int]:
    """FLOPs of the products of a training step, and of its forward pass alone."""
    with count_flops() as step:
        model.train_step(batch)
    with count_flops() as forward:
        model.compute_losses(*batch, training=True)
    return step.total, forward.total


def _peak_memory_mb(device: str) -> float:
    if device == "gpu":
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return peak_memory_mb()


_KINDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "device": lambda job: {},
    "limit": measure_product,
    "model": measure_model,
}

if __name__ == "__main__":
    protocol.answer(run)
