"""Versions whose files are still being copied, or change later."""

import logging
import shutil

import pytest
import tensorflow as tf

from serving import manifest
from serving.versions import ModelVersions, loading
from tests.serving.conftest import AdsModel

START, AVAILABLE, END = 10, 30, 50
VOCABULARY = "assets/cities.txt"
CITIES = [f"city {i}" for i in range(8)]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Folder with the exports `plain`, without a manifest, and `listed`, with one, and the other model `other`."""
    root = tmp_path_factory.mktemp("exports")
    (root / "cities.txt").write_text("".join(f"{city}\n" for city in CITIES))
    for name, bias in (("plain", 0.25), ("listed", 0.25), ("other", -1.0)):
        model = AdsModel(bias, str(root / "cities.txt"))
        if name != "plain":
            model.tfmtl_manifest = tf.Module()
        tf.saved_model.save(model, str(root / name), signatures={"raw": model.raw})
    for name in ("listed", "other"):
        manifest.write_manifest(str(root / name))
    return root


def scores(model):
    inputs = {"age": [0.0] * 8, "city": CITIES, "tags": [[""]] * 8, "weights": [[0.0]] * 8}
    tensors = {name: tf.make_tensor_proto(values) for name, values in inputs.items()}
    with model.lease() as (_, servable):
        return servable.predict("raw", tensors)["ctr"].tolist()


def expected(bias=0.25):
    return tf.sigmoid([bias + 0.5 * i for i in range(8)]).numpy().tolist()


def lines(count):
    return "".join(f"{city}\n" for city in CITIES[:count]).encode()


HALF_COPIES = {
    "no graph": ("saved_model.pb", None),
    "half a graph": ("saved_model.pb", 300),
    "no vocabulary": (VOCABULARY, None),
    "an empty vocabulary": (VOCABULARY, 0),
    "a vocabulary cut at the end of a line": (VOCABULARY, len(lines(5))),
    "a vocabulary cut in a line": (VOCABULARY, len(lines(5)) + 3),
    "no variables": ("variables/variables.data-00000-of-00001", None),
    "half the variables": ("variables/variables.data-00000-of-00001", 20),
    "no manifest": (manifest.MANIFEST, None),
    "half a manifest": (manifest.MANIFEST, 100),
}


@pytest.mark.parametrize("name", HALF_COPIES)
def test_half_a_copy_is_not_served_however_long_it_pauses(exports, tmp_path, name):
    path, size = HALF_COPIES[name]
    shutil.copytree(exports / "listed", tmp_path / "1")
    whole = (tmp_path / "1" / path).read_bytes()
    (tmp_path / "1" / path).unlink()
    if size is not None:
        (tmp_path / "1" / path).write_bytes(whole[:size])
    model = ModelVersions("m", tmp_path)
    model.poll()
    assert (model.settled, model.statuses()[0].state) == (False, START)
    for _ in range(3):
        model.poll()
    assert (model.settled, model.available, model.statuses()[0].state) == (True, False, END)
    assert path in model.problem or manifest.MANIFEST in model.problem
    (tmp_path / "1" / path).write_bytes(whole)
    model.poll()
    assert model.statuses()[0].state == AVAILABLE
    assert scores(model) == pytest.approx(expected())


def test_copy_with_equal_sizes_and_other_bytes_is_not_served(exports, tmp_path):
    shutil.copytree(exports / "listed", tmp_path / "1")
    vocabulary = tmp_path / "1" / VOCABULARY
    vocabulary.write_bytes(vocabulary.read_bytes().replace(b"city 3", b"city 9"))
    model = ModelVersions("m", tmp_path)
    for _ in range(3):
        model.poll()
    assert not model.available
    assert f"{VOCABULARY} should have the checksum of the manifest" in model.problem


def test_whole_export_is_served_at_the_first_poll(exports, tmp_path):
    shutil.copytree(exports / "listed", tmp_path / "1")
    (tmp_path / "1" / "notes.txt").write_text("a file that the manifest does not list")
    model = ModelVersions("m", tmp_path)
    model.poll()
    assert scores(model) == pytest.approx(expected())


def test_export_without_a_manifest_is_served_when_its_files_rest(exports, tmp_path):
    shutil.copytree(exports / "plain", tmp_path / "1")
    model = ModelVersions("m", tmp_path)
    for count in range(1, 9):
        (tmp_path / "1" / VOCABULARY).write_bytes(lines(count))
        model.poll()
        assert not model.available
    model.poll()
    assert scores(model) == pytest.approx(expected())


def test_files_that_change_while_they_are_loaded(exports, tmp_path, monkeypatch):
    shutil.copytree(exports / "plain", tmp_path / "1")
    (tmp_path / "1" / VOCABULARY).write_bytes(lines(4))
    model = ModelVersions("m", tmp_path)
    load = loading.load

    def slow_load(folder):
        loaded = load(folder)
        (tmp_path / "1" / VOCABULARY).write_bytes(lines(8))
        return loaded

    monkeypatch.setattr("serving.versions.model.load", slow_load)
    model.poll()
    model.poll()
    assert (model.available, model.settled) == (False, False)
    monkeypatch.undo()
    model.poll()
    model.poll()
    assert scores(model) == pytest.approx(expected())


def test_version_whose_files_change_later_is_loaded_again(exports, tmp_path, caplog):
    shutil.copytree(exports / "plain", tmp_path / "1")
    (tmp_path / "1" / VOCABULARY).write_bytes(lines(4))  # A copy that pauses for two polls.
    model = ModelVersions("m", tmp_path)
    model.poll()
    model.poll()
    assert scores(model) != pytest.approx(expected())
    (tmp_path / "1" / VOCABULARY).write_bytes(lines(8))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            model.poll()
            assert [(s.version, s.state) for s in model.statuses()] == [(1, AVAILABLE)]
    assert caplog.messages == ["model m: the files of version 1 have changed since it was loaded"]
    assert scores(model) == pytest.approx(expected())


def test_version_that_is_damaged_later_stays_as_it_was_loaded(exports, tmp_path, caplog):
    shutil.copytree(exports / "listed", tmp_path / "1")
    model = ModelVersions("m", tmp_path)
    model.poll()
    (tmp_path / "1" / VOCABULARY).write_bytes(lines(4))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            model.poll()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert f"{VOCABULARY} should have {len(lines(8))} bytes. Received: {len(lines(4))}" in caplog.messages[1]
    assert scores(model) == pytest.approx(expected())


def test_link_that_is_pointed_elsewhere_is_followed(exports, tmp_path):
    for name in ("listed", "other"):
        (tmp_path / name).mkdir()
        shutil.copytree(exports / name, tmp_path / name / "1")
    (tmp_path / "current").symlink_to("listed")
    model = ModelVersions("current", tmp_path / "current")
    model.poll()
    assert scores(model) == pytest.approx(expected())
    (tmp_path / "next").symlink_to("other")
    (tmp_path / "next").rename(tmp_path / "current")
    model.poll()
    assert scores(model) == pytest.approx(expected(-1.0))


def test_version_folder_may_be_a_link(exports, tmp_path):
    (tmp_path / "1").symlink_to(exports / "listed")
    model = ModelVersions("m", tmp_path)
    model.poll()
    assert scores(model) == pytest.approx(expected())


def test_older_version_is_served_while_the_newest_is_copied(exports, tmp_path):
    shutil.copytree(exports / "listed", tmp_path / "2")
    vocabulary = (tmp_path / "2" / VOCABULARY).read_bytes()
    shutil.copytree(exports / "other", tmp_path / "1")
    model = ModelVersions("m", tmp_path)
    for size in range(5):
        (tmp_path / "2" / VOCABULARY).write_bytes(vocabulary[:size])
        model.poll()
    assert scores(model) == pytest.approx(expected(-1.0))
    (tmp_path / "2" / VOCABULARY).write_bytes(vocabulary)
    model.poll()
    assert scores(model) == pytest.approx(expected())
