"""Training on several devices and workers, in processes of their own, is equal to training on one."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.training.distributed_training import BATCH, CASES, EPOCHS, ROWS, make_model, rows_of
from tfmtl.config import FieldError
from tfmtl.losses import bpr_contrast, info_nce
from tfmtl.losses.batch_mean import batch_mean, mean_by_rows, replica_mean, share_gradient, sum_over_replicas
from tfmtl.training import Distribution
from tfmtl.training.distribution import folder_of_chief, is_chief, share_of, share_of_worker

REPOSITORY = pathlib.Path(__file__).parents[3]
SECONDS = 600
STEPS = -(-ROWS // BATCH) * EPOCHS
EQUAL = [name for name, case in CASES.items() if case.equal]
OTHERS = [name for name, case in CASES.items() if not case.equal]


def start(mode: str, folder: pathlib.Path, log: pathlib.Path, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.tfmtl.training.distributed_training", mode, str(folder)]
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **environment}
    with log.open("w") as file:
        return subprocess.Popen(command, cwd=REPOSITORY, env=variables, stdout=file, stderr=subprocess.STDOUT)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory) -> pathlib.Path:
    """What one device made, and what two replicas of one process made."""
    folder = tmp_path_factory.mktemp("mirrored")
    process = start("mirrored", folder, folder / "log.txt")
    try:
        assert process.wait(SECONDS) == 0, (folder / "log.txt").read_text()[-4000:]
    finally:
        process.kill()
    return folder


def run_workers(folder: pathlib.Path) -> bool:
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    configs = [json.dumps({"cluster": {"worker": workers}, "task": task}) for task in tasks]
    processes = [
        start("worker", folder, folder / f"log_{index}.txt", TF_CONFIG=config) for index, config in enumerate(configs)
    ]
    try:
        return all([process.wait(SECONDS) == 0 for process in processes])
    finally:
        for process in processes:
            process.kill()


@pytest.fixture(scope="module")
def workers(tmp_path_factory) -> pathlib.Path:
    """What two worker processes made together."""
    folder = tmp_path_factory.mktemp("workers")
    # Once more: another program may have taken a port, or the machine slept longer than a worker waits for another.
    done = run_workers(folder) or run_workers(folder)
    assert done, "".join((folder / f"log_{index}.txt").read_text()[-4000:] for index in range(2))
    return folder


def assert_equal(found, expected):
    names = [name for name in expected if not name.startswith("apart/")]
    assert {name.split("/")[0] for name in names} == {"history", "weight", "slot"}
    assert set(names) <= set(found)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUAL)
def test_two_replicas_are_one_device(mirrored, name):
    assert_equal(np.load(mirrored / f"{name}_two.npz"), np.load(mirrored / f"{name}_one.npz"))


@pytest.mark.parametrize("name", CASES)
def test_replicas_stay_equal_and_count_a_step_once(mirrored, name):
    found = np.load(mirrored / f"{name}_two.npz")
    assert max(found[one] for one in found if one.startswith("apart/")) == 0
    counters = [one for one in found if one.endswith(("/iteration", "/step")) and not one.startswith("apart/")]
    assert len(counters) == (2 if name == "apem" else 1)
    assert [int(found[one]) for one in counters] == [STEPS] * len(counters)


@pytest.mark.parametrize("name", OTHERS)
def test_what_looks_at_a_replicas_own_rows_learns(mirrored, name):
    found = np.load(mirrored / f"{name}_two.npz")
    for one in found:
        if one.startswith(("weight/", "slot/")) or one.endswith("_loss"):
            assert np.isfinite(found[one]).all(), one
    assert found["history/loss"][-1] < found["history/loss"][0]


def test_the_comparison_sees_metrics(mirrored):
    found = np.load(mirrored / "mmoe_one.npz")
    for output in ("ctr", "cvr", "ctcvr"):
        assert np.isfinite(found[f"history/{output}_auc"]).all(), output
    losses = [found[f"history/{name}_loss"] for name in ("buy", "dependence")]
    assert np.min(losses) > 0
    assert {one for one in found if one.startswith("history/val_")}


@pytest.mark.slow
def test_two_workers_are_one_device(mirrored, workers):
    expected = np.load(mirrored / "mmoe_one.npz")
    for index in range(2):
        assert_equal(np.load(workers / f"worker_{index}.npz"), expected)


def test_only_the_chief_leaves_a_model_behind(workers):
    one, other = (json.loads((workers / f"worker_{index}.json").read_text()) for index in range(2))
    assert one == {"chief": True, "folder": str(workers)}
    assert not other["chief"]
    assert not pathlib.Path(other["folder"]).exists()


def test_a_model_trained_on_several_loads_on_one(mirrored, workers):
    found = np.load(mirrored / "mmoe_two.npz")
    for path in (mirrored / "mirrored.keras", workers / "workers.keras"):
        model = keras.saving.load_model(path)
        assert model.optimizer.iterations.numpy() == STEPS
        kernel = next(weight for weight in model.weights if weight.path.endswith("experts/kernel_0"))
        np.testing.assert_allclose(kernel.numpy(), found["weight/experts/kernel_0"], atol=1e-5)


def test_shares_are_the_rows_of_each_batch():
    batches = tf.data.Dataset.range(13).batch(5)
    parts = [[list(part) for part in share_of(batches, worker, 3).as_numpy_iterator()] for worker in range(3)]
    assert parts == [[[0], [5], [10]], [[1, 2], [6, 7], [11]], [[3, 4], [8, 9], [12]]]
    pairs = tf.data.Dataset.from_tensor_slices(({"a": [1, 2, 3]}, [4, 5, 6])).batch(2)
    features, labels = next(share_of(pairs, 1, 2).skip(1).as_numpy_iterator())
    assert (features["a"].tolist(), labels.tolist()) == ([3], [6])


def test_one_device_needs_nothing(tmp_path):
    strategy = Distribution().strategy()
    assert list(share_of_worker(strategy)(tf.data.Dataset.range(3)).as_numpy_iterator()) == [0, 1, 2]
    assert is_chief(strategy)
    with folder_of_chief(strategy, str(tmp_path)) as folder:
        assert folder == str(tmp_path)


def test_the_end_of_an_epoch_is_no_step():
    model = make_model(CASES["apem"], Distribution().strategy())
    batches = rows_of(CASES["apem"]).batch(BATCH).filter(lambda features, labels: True)  # How many is not known.
    model.fit(batches, epochs=EPOCHS, verbose=0)
    assert int(model.optimizer.iterations) == STEPS
    assert int(model.selectors[0].step) == STEPS


def test_means_of_one_device():
    values, weights = tf.constant([1.0, 2.0, 6.0]), tf.constant([1.0, 0.0, 3.0])
    assert float(batch_mean(values)) == 3
    assert float(batch_mean(values, weights)) == 4.75
    assert float(batch_mean(values, 0 * weights)) == 0
    assert float(replica_mean(values)) == 3
    assert float(replica_mean(values[:0])) == 0
    assert float(mean_by_rows(values[2], 3)) == float(sum_over_replicas(values[2])) == float(share_gradient(values[2]))


def test_losses_between_rows_of_no_row():
    none = tf.zeros((0, 3))
    for losses in (info_nce(none, none, 1.0), info_nce(none, none, 1.0, block=2), bpr_contrast(none, none)):
        assert losses.shape == (0,)


def test_mistakes_are_named(monkeypatch):
    with pytest.raises(FieldError, match="unless `kind` is mirrored"):
        Distribution("multi_worker", devices=("GPU:0",))
    with pytest.raises(FieldError, match="each named once"):
        Distribution("mirrored", devices=("GPU:0", "GPU:0"))
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="TF_CONFIG should name the workers"):
        Distribution("multi_worker").strategy()
