"""Graphs of versions that are unloaded or cannot be loaded: freed at once, and without a stop of all threads.

A full garbage collection would free them too. It examines all objects of the process, and no request is answered until
it has ended, so that the pause of a swap would grow with the process and with the load of the machine.
"""

import gc
import shutil
import weakref

import pytest
import tensorflow as tf

from serving.model_config import ModelConfig
from serving.served_models import ServedModels
from serving.versions import ModelVersions
from tests.serving.test_server import wait_for

AVAILABLE, END = 30, 50


@pytest.fixture
def collections():
    """List of the generations that the garbage collector examines, which runs only where it is called."""
    seen = []

    def note(phase, info):
        if phase == "start":
            seen.append(info["generation"])

    gc.disable()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.enable()


@pytest.fixture
def graphs(monkeypatch):
    """List of weak references to the graphs that are made."""
    made = []

    class NotedGraph(tf.Graph):
        def __init__(self):
            super().__init__()
            made.append(weakref.ref(self))

    monkeypatch.setattr(tf, "Graph", NotedGraph)
    return made


@pytest.fixture(scope="module")
def session_export(tmp_path_factory):
    """Export by a program of TensorFlow 1, whose graph has its variables and savers in collections."""
    path = tmp_path_factory.mktemp("session") / "export"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        slope = tf.compat.v1.get_variable("slope", initializer=3.0, use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": slope * x + 1.0})
    return path


def poll(model):
    """Polls twice, as these exports have no manifest."""
    model.poll()
    model.poll()


def states(model):
    return [(status.version, status.state) for status in model.statuses()]


def answer(model):
    with model.lease() as (_, servable):
        return float(servable.predict("serving_default", {"x": tf.make_tensor_proto([10.0], tf.float32)})["y"][0])


@pytest.mark.parametrize("kind", ["function", "session"])
def test_old_version_is_freed(tmp_path, line_exports, session_export, publish, graphs, collections, kind):
    export = {"function": line_exports[3], "session": session_export}[kind]
    model = ModelVersions("m", tmp_path)
    for version in (1, 2, 3):
        publish(export, tmp_path / str(version))
        poll(model)
        assert answer(model) == 31.0
        assert [graph() is not None for graph in graphs] == [False] * (version - 1) + [True]
    assert states(model) == [(3, AVAILABLE), (2, END), (1, END)]
    assert collections == []


def test_old_version_is_freed_after_its_last_request(tmp_path, line_exports, publish, graphs, collections):
    publish(line_exports[2], tmp_path / "1")
    model = ModelVersions("m", tmp_path)
    poll(model)
    with model.lease():
        publish(line_exports[3], tmp_path / "2")
        poll(model)
        assert graphs[0]() is not None
    assert graphs[0]() is None
    assert collections == []


@pytest.mark.parametrize("missing", ["variables", "saved_model.pb"])
def test_version_that_cannot_be_loaded_is_freed(tmp_path, line_exports, graphs, collections, missing):
    shutil.copytree(line_exports[2], tmp_path / "1", ignore=shutil.ignore_patterns(missing))
    if missing == "saved_model.pb":
        (tmp_path / "1" / missing).write_bytes(b"\x0a\xff\xff")
    model = ModelVersions("m", tmp_path)
    poll(model)
    assert states(model) == [(1, END)]
    assert "Can't load SavedModel" in model.problem
    assert [graph() for graph in graphs] == [None]
    assert collections == []


def test_removed_model_is_freed(tmp_path, line_exports, publish, graphs, collections):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        publish(line_exports[2], tmp_path / name / "1")
    configs = [ModelConfig(name, tmp_path / name) for name in ("a", "b")]
    models = ServedModels(configs, 0.02, lambda: None)
    try:
        models.start()
        with models["b"].lease() as (_, servable):
            removed = weakref.ref(servable._session.graph)
        del servable
        models.reload(configs[:1])
        wait_for(lambda: removed() is None)  # The last poll of the model may still be running.
        assert models["a"].available
    finally:
        models.stop(20.0)
    assert collections == []
