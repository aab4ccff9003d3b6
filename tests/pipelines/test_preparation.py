"""Prepared data are complete and of the log that was asked for, whenever the process is killed."""

import pathlib
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from pipelines import preparation as subject
from pipelines.prepared import write_prepared
from pipelines.prepared.prepared import Prepared
from pipelines.settings import DataSettings, ModelSettings, Settings
from tests.pipelines.compare.cases import SPEC
from tests.pipelines.prepared.test_row_order import example


class Killed(Exception):
    """Stands for the end of the process."""


def write_examples(folder, rows, seed):
    rng = np.random.default_rng(seed)
    for split, count in (("train", rows), ("eval", 20), ("test", 20)):
        (folder / "examples" / f"Split-{split}").mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "examples" / f"Split-{split}" / "a.gz"), "GZIP") as writer:
            for _ in range(count):
                labels = {label: [int(rng.integers(2))] for label in SPEC.labels}
                writer.write(example(user=[b"u%d" % rng.integers(9)], **labels))
    (folder / "transform_graph").mkdir()


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Function that prepares one of two logs, whose examples have been ingested."""

    def uri(settings):
        return lambda component, key: str(pathlib.Path(settings.data.path) / key)

    monkeypatch.setattr(subject, "run_pipeline", lambda settings, *_, **__: types.SimpleNamespace(uri=uri(settings)))
    monkeypatch.setattr(write_prepared, "_vocabulary_bytes", lambda prepared: [])
    for seed, (name, rows) in enumerate({"one": 90, "other": 120}.items()):
        write_examples(tmp_path / name, rows, seed)
        (tmp_path / name / "impressions.csv").write_text("user\n")

    def prepare(name):
        settings = Settings("small", SPEC, ModelSettings("mmoe"), DataSettings(path=str(tmp_path / name)))
        return subject.prepare(settings, tmp_path / "out")

    return prepare


def count_rows(prepared):
    return sum(1 for _ in tf.data.TFRecordDataset(prepared.files("train"), "GZIP"))


def test_uses_prepared_rows_again(prepare, monkeypatch):
    before = prepare("one")
    monkeypatch.setattr(subject, "write_prepared", lambda *_: pytest.fail("the rows were written again"))
    assert prepare("one") == before


@pytest.mark.long
def test_keeps_the_prepared_rows_when_it_is_killed_while_it_writes_others(tmp_path, monkeypatch, prepare):
    def be_killed(folder, split, records, rows):
        (folder / f"{split}-half.gz").write_bytes(b"half")
        raise Killed

    before = prepare("one")
    with monkeypatch.context() as killed:
        killed.setattr(write_prepared, "_write_records", be_killed)
        killed.setattr(shutil, "rmtree", lambda *_, **__: None)  # A killed process does not clean up.
        with pytest.raises(Killed):
            prepare("other")
    assert Prepared.load(tmp_path / "out" / "prepared") == before
    assert count_rows(before) == 90
    after = prepare("other")
    assert count_rows(after) == 120
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"prepared"}


@pytest.mark.long
def test_prepares_again_when_it_is_killed_while_it_replaces_the_rows(tmp_path, monkeypatch, prepare):
    rename = pathlib.Path.rename

    def rename_old_only(path, target):
        if pathlib.Path(target).name == "prepared":
            raise Killed
        return rename(path, target)

    before = prepare("one")
    with monkeypatch.context() as killed:
        killed.setattr(pathlib.Path, "rename", rename_old_only)
        with pytest.raises(Killed):
            prepare("other")
    with pytest.raises(FileNotFoundError):
        Prepared.load(tmp_path / "out" / "prepared")
    after = prepare("one")
    assert (after.fingerprint, after.rows) == (before.fingerprint, before.rows)
    assert count_rows(after) == 90
