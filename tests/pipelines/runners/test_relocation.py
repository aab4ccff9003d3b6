"""Paths in ML Metadata: they follow a run folder that is moved, copied, or used from another working directory."""

import pathlib
import shutil

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.history.relocation import relocate
from pipelines.runners.metadata_store import open_store


def make_run(root, prefix):
    """Writes a run folder whose store names its artifacts with a prefix."""
    folders = ["Trainer/model/5", "Trainer/model_run/5", "Pusher/pushed_model/7", "Transform/gone/3"]
    for folder in folders[:-1]:
        (root / "pipeline" / folder).mkdir(parents=True)
    (root / "serving/shop/12").mkdir(parents=True)
    (root / "pipeline/Trainer/model/5/model_run").write_text(f"{prefix}/pipeline/Trainer/model_run/5")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(root / "metadata.sqlite")
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = MetadataStore(config)
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Any"))
    artifacts = [mlmd.Artifact(type_id=kind, uri=f"{prefix}/pipeline/{folder}") for folder in folders]
    artifacts[2].custom_properties["pushed_destination"].string_value = f"{prefix}/serving/shop/12"
    artifacts.append(mlmd.Artifact(type_id=kind, uri="gs://bucket/pipeline/Trainer/model/5"))
    store.put_artifacts(artifacts)


def uris(root):
    return [artifact.uri for artifact in open_store(root / "metadata.sqlite").get_artifacts()]


def assert_inside(root, changed):
    assert relocate(root) == changed
    assert relocate(root) == 0
    *inside, bucket = uris(root)
    folders = ["Trainer/model/5", "Trainer/model_run/5", "Pusher/pushed_model/7", "Transform/gone/3"]
    assert inside == [f"{root}/pipeline/{folder}" for folder in folders]
    assert bucket == "gs://bucket/pipeline/Trainer/model/5"
    assert (root / "pipeline/Trainer/model/5/model_run").read_text() == f"{root}/pipeline/Trainer/model_run/5"
    pushed = open_store(root / "metadata.sqlite").get_artifacts()[2]
    assert pushed.custom_properties["pushed_destination"].string_value == f"{root}/serving/shop/12"


@pytest.mark.parametrize("cwd", [".", "elsewhere"])
def test_relative_paths_become_absolute(tmp_path, monkeypatch, cwd):
    make_run(tmp_path / "runs/shop", "runs/shop")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / cwd)
    assert_inside(tmp_path / "runs/shop", 4)


def test_paths_follow_a_moved_folder(tmp_path):
    make_run(tmp_path / "old", tmp_path / "old")
    assert relocate(tmp_path / "old") == 0
    (tmp_path / "pipeline").mkdir()  # A folder above that has the name of the artifacts' folder.
    shutil.move(tmp_path / "old", tmp_path / "pipeline/new")
    assert_inside(tmp_path / "pipeline/new", 4)


def test_a_copy_has_its_own_paths(tmp_path):
    make_run(tmp_path / "old", tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    assert_inside(tmp_path / "new", 4)
    assert pathlib.Path(uris(tmp_path / "old")[0]).is_relative_to(tmp_path / "old")


def test_an_artifact_elsewhere_is_kept(tmp_path):
    make_run(tmp_path / "run", tmp_path / "run")
    shared = tmp_path / "shared/pipeline/Extra/model/9"
    shared.mkdir(parents=True)
    store = open_store(tmp_path / "run/metadata.sqlite")
    store.put_artifacts([mlmd.Artifact(type_id=store.get_artifact_type("Any").id, uri=str(shared))])
    assert relocate(tmp_path / "run") == 0
    assert uris(tmp_path / "run")[-1] == str(shared)


def test_a_folder_without_runs_is_left_alone(tmp_path):
    assert relocate(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
