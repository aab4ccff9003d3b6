"""Equality of training on several devices or workers, in separate processes, with training on one device."""

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
from tfmtl.training.distribution import chief_folder, is_chief, shard_batches, worker_shard

REPOSITORY = pathlib.Path(__file__).parents[3]
SECONDS = 600
STEPS = -(-ROWS // BATCH) * EPOCHS
QUICK = "mmoe"
"""Case that every test run trains; the others are trained in the long tests."""
EQUAL = [QUICK, *(pytest.param(n, marks=pytest.mark.long) for n, case in CASES.items() if case.equal and n != QUICK)]
OTHERS = [name for name, case in CASES.items() if not case.equal]
ALL = [*EQUAL, *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]


def start(mode: str, folder: pathlib.Path, log: pathlib.Path, *names: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.tfmtl.training.distributed_training", mode, str(folder), *names]
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **environment}
    with log.open("w") as file:
        return subprocess.Popen(command, cwd=REPOSITORY, env=variables, stdout=file, stderr=subprocess.STDOUT)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory) -> pathlib.Path:
    """Returns the folder with the arrays of training on one device and on two replicas of one process."""
    return train_mirrored(tmp_path_factory.mktemp("mirrored"), QUICK)


@pytest.fixture(scope="module")
def other_cases(tmp_path_factory) -> pathlib.Path:
    """Returns the folder with the arrays of the cases that only the long tests train."""
    return train_mirrored(tmp_path_factory.mktemp("others"), *(name for name in CASES if name != QUICK))


def train_mirrored(folder: pathlib.Path, *names: str) -> pathlib.Path:
    process = start("mirrored", folder, folder / "log.txt", *names)
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
    """Returns the folder with the arrays and the model of two worker processes."""
    folder = tmp_path_factory.mktemp("workers")
    # A second attempt, as another program may have taken a port, or a worker may have waited too long for the other.
    done = run_workers(folder) or run_workers(folder)
    assert done, "".join((folder / f"log_{index}.txt").read_text()[-4000:] for index in range(2))
    return folder


def assert_equal(found, expected):
    names = [name for name in expected if not name.startswith("difference/")]
    assert {name.split("/")[0] for name in names} == {"history", "weight", "slot"}
    assert set(names) <= set(found)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def arrays(request, name: str, devices: str):
    folder = request.getfixturevalue("mirrored" if name == QUICK else "other_cases")
    return np.load(folder / f"{name}_{devices}.npz")


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUAL)
def test_two_replicas_give_the_results_of_one_device(request, name):
    assert_equal(arrays(request, name, "two"), arrays(request, name, "one"))


@pytest.mark.parametrize("name", ALL)
def test_replicas_have_equal_weights_and_count_each_step_once(request, name):
    case, found = name, arrays(request, name, "two")
    assert max(found[name] for name in found if name.startswith("difference/")) == 0
    suffixes = ("/iteration", "/step")
    counters = [name for name in found if name.endswith(suffixes) and not name.startswith("difference/")]
    assert len(counters) == (2 if case == "apem" else 1)
    assert [int(found[name]) for name in counters] == [STEPS] * len(counters)


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_training_on_the_rows_of_each_replica_reduces_the_loss(other_cases, name):
    found = np.load(other_cases / f"{name}_two.npz")
    for key in found:
        if key.startswith(("weight/", "slot/")) or key.endswith("_loss"):
            assert np.isfinite(found[key]).all(), key
    assert found["history/loss"][-1] < found["history/loss"][0]


def test_compared_metrics_are_finite_and_not_zero(mirrored):
    found = np.load(mirrored / "mmoe_one.npz")
    for output in ("ctr", "cvr", "ctcvr"):
        assert np.isfinite(found[f"history/{output}_auc"]).all(), output
    losses = [found[f"history/{name}_loss"] for name in ("buy", "dependence")]
    assert np.min(losses) > 0
    assert any(name.startswith("history/val_") for name in found)


@pytest.mark.slow
@pytest.mark.long
def test_two_workers_give_the_results_of_one_device(mirrored, workers):
    expected = np.load(mirrored / "mmoe_one.npz")
    for index in range(2):
        assert_equal(np.load(workers / f"worker_{index}.npz"), expected)


@pytest.mark.long
def test_only_the_chief_writes_the_model(workers):
    first, second = (json.loads((workers / f"worker_{index}.json").read_text()) for index in range(2))
    assert first == {"chief": True, "folder": str(workers)}
    assert not second["chief"]
    assert not pathlib.Path(second["folder"]).exists()


@pytest.mark.parametrize("fixture", ["mirrored", pytest.param("workers", marks=pytest.mark.long)])
def test_model_trained_on_several_devices_loads_on_one(mirrored, request, fixture):
    found = np.load(mirrored / "mmoe_two.npz")
    model = keras.saving.load_model(request.getfixturevalue(fixture) / f"{fixture}.keras")
    assert model.optimizer.iterations.numpy() == STEPS
    kernel = next(weight for weight in model.weights if weight.path.endswith("experts/kernel_0"))
    np.testing.assert_allclose(kernel.numpy(), found["weight/experts/kernel_0"], atol=1e-5)


def test_shards_divide_the_rows_of_each_batch():
    batches = tf.data.Dataset.range(13).batch(5)
    parts = [[list(part) for part in shard_batches(batches, worker, 3).as_numpy_iterator()] for worker in range(3)]
    assert parts == [[[0], [5], [10]], [[1, 2], [6, 7], [11]], [[3, 4], [8, 9], [12]]]
    pairs = tf.data.Dataset.from_tensor_slices(({"a": [1, 2, 3]}, [4, 5, 6])).batch(2)
    features, labels = next(shard_batches(pairs, 1, 2).skip(1).as_numpy_iterator())
    assert (features["a"].tolist(), labels.tolist()) == ([3], [6])


def test_one_device_has_all_rows_and_is_the_chief(tmp_path):
    strategy = Distribution().strategy()
    assert list(worker_shard(strategy)(tf.data.Dataset.range(3)).as_numpy_iterator()) == [0, 1, 2]
    assert is_chief(strategy)
    with chief_folder(strategy, str(tmp_path)) as folder:
        assert folder == str(tmp_path)


def test_end_of_an_epoch_is_not_counted_as_a_step():
    model = make_model(CASES["apem"], Distribution().strategy())
    # After a filter, the number of batches is unknown to Keras.
    batches = rows_of(CASES["apem"]).batch(BATCH).filter(lambda features, labels: True)
    model.fit(batches, epochs=EPOCHS, verbose=0)
    assert int(model.optimizer.iterations) == STEPS
    assert int(model.selectors[0].step) == STEPS


def test_means_on_one_device():
    values, weights = tf.constant([1.0, 2.0, 6.0]), tf.constant([1.0, 0.0, 3.0])
    assert float(batch_mean(values)) == 3
    assert float(batch_mean(values, weights)) == 4.75
    assert float(batch_mean(values, 0 * weights)) == 0
    assert float(replica_mean(values)) == 3
    assert float(replica_mean(values[:0])) == 0
    assert float(mean_by_rows(values[2], 3)) == float(sum_over_replicas(values[2])) == float(share_gradient(values[2]))


def test_contrastive_losses_of_an_empty_batch_are_empty():
    none = tf.zeros((0, 3))
    for losses in (info_nce(none, none, 1.0), info_nce(none, none, 1.0, block=2), bpr_contrast(none, none)):
        assert losses.shape == (0,)


def test_rejects_wrong_options(monkeypatch):
    with pytest.raises(FieldError, match="unless `kind` is mirrored"):
        Distribution("multi_worker", devices=("GPU:0",))
    with pytest.raises(FieldError, match="without duplicates"):
        Distribution("mirrored", devices=("GPU:0", "GPU:0"))
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="TF_CONFIG should list the workers"):
        Distribution("multi_worker").strategy()
