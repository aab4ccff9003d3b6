"""Exports appear as a whole, with a manifest, and are served however they are copied."""

import hashlib
import json
import pathlib
import shutil

import pytest
import tensorflow as tf

from serving import manifest, staging
from serving.export import describe, export
from serving.versions import ModelVersions
from tests.serving.export_cases import SIZES, SPEC, HashTransform, examples
from tests.tfmtl.tiny_models import tiny


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "1"
    export(tiny("shared_bottom", SPEC, SIZES), HashTransform(), str(folder), warmup_examples=examples(2))
    return folder


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_manifest_lists_every_file(exported):
    entries = json.loads((exported / manifest.MANIFEST).read_text())["files"]
    assert sorted([*entries, manifest.MANIFEST]) == files(exported)
    assert {"saved_model.pb", "assets.extra/tfmtl_model.json", "assets.extra/tf_serving_warmup_requests"} < set(entries)
    for name, entry in entries.items():
        content = (exported / name).read_bytes()
        assert entry == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert manifest.first_difference(exported, manifest.read_manifest(exported)) is None
    assert manifest.has_marker(exported)


def test_export_of_another_program_has_no_marker(line_exports):
    assert not manifest.has_marker(line_exports[2])
    assert manifest.read_manifest(line_exports[2]) is None


def test_export_appears_alone(exported):
    assert [path.name for path in exported.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("before", [False, True])
def test_failed_export_leaves_what_was_there(exported, tmp_path, monkeypatch, before):
    if before:
        shutil.copytree(exported, tmp_path / "1")

    def fail(*args):
        raise RuntimeError("no warm-up")

    monkeypatch.setattr("serving.export.write_warmup", fail)
    with pytest.raises(RuntimeError, match="no warm-up"):
        export(tiny("shared_bottom", SPEC, SIZES), HashTransform(), str(tmp_path / "1"))
    assert [path.name for path in tmp_path.iterdir()] == (["1"] if before else [])
    assert not before or files(tmp_path / "1") == files(exported)


def test_folder_is_replaced_as_a_whole(tmp_path):
    def write(model, transform, directory, *, text):
        pathlib.Path(directory).mkdir()
        (pathlib.Path(directory) / text).write_text(text)
        return text

    written = staging.complete_export(write)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stale").touch()
    (tmp_path / "unfinished-new-1").mkdir()  # A process that was killed has left it.
    for text in ("a", "b"):
        assert written(None, None, f"{tmp_path / '1'}/", text=text) == text
        assert files(tmp_path / "1") == sorted([manifest.MANIFEST, text])
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_folder_on_an_object_store_is_written_in_place(tmp_path):
    def write(model, transform, directory):
        tf.io.gfile.makedirs(f"{directory}/assets")
        with tf.io.gfile.GFile(f"{directory}/assets/words", "w") as file:
            file.write("a\n")

    staging.complete_export(write)(None, None, f"ram://{tmp_path}/1/")
    with tf.io.gfile.GFile(f"ram://{tmp_path}/1/{manifest.MANIFEST}") as file:
        entries = json.load(file)["files"]
    assert entries == {"assets/words": {"size": 2, "sha256": hashlib.sha256(b"a\n").hexdigest()}}


@pytest.mark.parametrize("last", ["saved_model.pb", manifest.MANIFEST, "variables/variables.index"])
def test_copies_in_any_order(exported, tmp_path, last):
    """TFX's Pusher copies `saved_model.pb` last."""
    model = ModelVersions("m", tmp_path)
    for name in [*(name for name in files(exported) if name != last), last]:
        assert not model.available
        (tmp_path / "1" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(exported / name, tmp_path / "1" / name)
        for _ in range(3):
            model.poll()
    assert model.available
    assert describe(tmp_path / "1") == describe(exported)
