"""Training of small models on one device, two replicas or two workers, in a process that the tests start.

python -m tests.tfmtl.training.distributed_training mirrored FOLDER
TF_CONFIG=... python -m tests.tfmtl.training.distributed_training worker FOLDER
"""

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.models.adaftr_cases import BACKBONES
from tfmtl import DatasetSpec
from tfmtl.models import model_class
from tfmtl.optimizers import RowSparseAdagrad, RowSparseAdam, RowSparseFtrl
from tfmtl.training import ArchitectureSearch, Distribution, MetaLearning, PlainTraining
from tfmtl.training.distribution import chief_folder, is_chief, worker_shard

BATCH = 8
ROWS = 2 * BATCH + 1
"""Number of rows; the last batch has one row, so that one replica has none."""
EPOCHS = 2
PAIR = cases.pair()


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with its options, optimizer, strategy and data.

    Attributes:
        equal: Whether training on two replicas gives the results of one device.
    """

    model: str
    options: Mapping[str, Any]
    optimizer: Any = lambda: RowSparseAdam(0.02)
    strategy: Any = PlainTraining
    equal: bool = True
    spec: DatasetSpec = PAIR


ALL_LOSSES = {
    "weighting": "uncertainty",
    "embedding_l2": 0.1,
    "weight_decay": 0.05,
    "calibrator": 0.5,
    "positive_weights": {"buy": 2.0},
    "wide": True,
    "wide_l2": 0.1,
}
MMOE = {"embedding_dim": 4, **BACKBONES["mmoe"]}
APEM = {"embedding_dim": 4, "num_layers": 1, "num_points": 3, "selector_units": [4], "tower_units": [4]}
M2M = {
    **panel_cases.OPTIONS,
    "meta_layers": 1,
    "num_residuals": 1,
    "transformer": False,
    "embedding_l2": 0.1,
    "weight_decay": 0.05,
}
MAML = MetaLearning(inner_learning_rate=0.05, episodes=2)

CASES = {
    "mmoe": Case("mmoe", {**MMOE, **ALL_LOSSES, "space": "conditional", "dependence": 0.3}, spec=cases.chain()),
    "shared_bottom": Case(
        "shared_bottom",
        {"embedding_dim": 4, **BACKBONES["shared_bottom"], **ALL_LOSSES},
        lambda: RowSparseAdagrad(0.1, global_clipnorm=0.5),
    ),
    "man": Case("man", {"embedding_dim": 4, **BACKBONES["man"]}, lambda: RowSparseFtrl(0.1, clipvalue=0.01)),
    "apem": Case("apem", {**APEM, "local_space": True, "gamma_decay": 0.5}, lambda: RowSparseAdam(0.02, clipnorm=0.1)),
    "m2m": Case("m2m", M2M, spec=panel_cases.SPEC),
    "adaftr": Case("adaftr", {"embedding_dim": 4, "backbone_options": BACKBONES["mmoe"]}, equal=False),
    "maml": Case("mmoe", {**MMOE, "weighting": "uncertainty"}, strategy=lambda: MAML, equal=False),
    "architecture_search": Case(
        "autoheri",
        {"embedding_dim": 4, "network_units": [6, 4]},
        lambda: RowSparseAdam(0.05),
        ArchitectureSearch,
        equal=False,
    ),
}


def rows_of(case: Case) -> tf.data.Dataset:
    """Returns rows with different numbers of clicks for the replicas, and no click in the second batch."""
    if case.spec is panel_cases.SPEC:
        return tf.data.Dataset.from_tensor_slices((panel_cases.features(ROWS), panel_cases.labels(ROWS)))
    features, labels = cases.features(ROWS), cases.labels(cases.chain(), ROWS, seed=5)
    for name in ("click", "buy", "back"):
        labels[name][BATCH : 2 * BATCH] = 0
    return tf.data.Dataset.from_tensor_slices((features, {task.name: labels[task.name] for task in case.spec.tasks}))


def make_model(case: Case, strategy: tf.distribute.Strategy) -> keras.Model:
    keras.utils.set_random_seed(3)
    keras.utils.clear_session()  # Weights have the same names in each call.
    sizes = panel_cases.SIZES if case.spec is panel_cases.SPEC else cases.SIZES
    with strategy.scope():
        model = model_class(case.model).from_spec(case.spec, sizes, **case.options)
        model.compile(case.optimizer(), strategy=case.strategy())
    return model


def train(case: Case, strategy: tf.distribute.Strategy) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Trains a model.

    Returns:
        The model; and arrays by name: `history/<metric>`, `weight/<path>`, `slot/<index>/<path>`, and for each weight
        the largest difference between replicas, `difference/<path>`.
    """
    model = make_model(case, strategy)
    batches = worker_shard(strategy)(rows_of(case).batch(BATCH))
    validation = batches if case is CASES["mmoe"] else None
    history = model.fit(batches, validation_data=validation, epochs=EPOCHS, verbose=0, shuffle=False).history
    found = {f"history/{name}": np.array(values) for name, values in history.items()}
    for variable in model.weights:
        copies = [copy.numpy() for copy in strategy.experimental_local_results(variable.value)]
        name = variable.path.removeprefix(f"{model.name}/")
        found[f"weight/{name}"] = copies[0]
        found[f"difference/{name}"] = np.max([np.abs(copy - copies[0]).max() for copy in copies])
    slots = model.optimizer.variables
    found |= {f"slot/{index}/{slot.path}": slot.numpy() for index, slot in enumerate(slots)}
    return model, found


def mirrored(folder: pathlib.Path, *names: str) -> None:
    """Trains cases on one device and on two replicas, and writes the arrays."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = Distribution("mirrored", devices=("CPU:0", "CPU:1")).strategy()
    one = Distribution().strategy()
    for name in names:
        case = CASES[name]
        np.savez(folder / f"{name}_one.npz", **(train(case, one)[1] if case.equal else {}))
        model, found = train(case, two)
        np.savez(folder / f"{name}_two.npz", **found)
        if name == "mmoe":
            model.save(folder / "mirrored.keras")


def worker(folder: pathlib.Path) -> None:
    """Trains one case as one of two workers, and writes the arrays and the model."""
    strategy = Distribution("multi_worker").strategy()
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    model, found = train(CASES["mmoe"], strategy)
    np.savez(folder / f"worker_{index}.npz", **found)
    with chief_folder(strategy, str(folder)) as own_folder:
        model.save(pathlib.Path(own_folder) / "workers.keras")
    (folder / f"worker_{index}.json").write_text(json.dumps({"chief": is_chief(strategy), "folder": own_folder}))


if __name__ == "__main__":
    {"mirrored": mirrored, "worker": worker}[sys.argv[1]](pathlib.Path(sys.argv[2]), *sys.argv[3:])
