"""What is kept of a comparison's data is whole and of what was asked for, whenever the process was killed."""

import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from pipelines.compare.data import prepare as data
from pipelines.compare.data.prepared import Prepared
from pipelines.settings import DataSettings, ModelSettings, Settings
from tests.pipelines.compare.cases import SPEC
from tests.pipelines.compare.data.test_row_order import example


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
    """Prepares one of two logs, whose examples are there already."""

    def uri(settings):
        return lambda component, key: str(pathlib.Path(settings.data.path) / key)

    monkeypatch.setattr(data, "run_pipeline", lambda settings, *_, **__: types.SimpleNamespace(uri=uri(settings)))
    monkeypatch.setattr(data, "_vocabularies", lambda prepared: [])
    for seed, (name, rows) in enumerate({"one": 90, "other": 120}.items()):
        write_examples(tmp_path / name, rows, seed)
        (tmp_path / name / "impressions.csv").write_text("user\n")

    def prepare(name):
        settings = Settings("small", SPEC, ModelSettings("mmoe"), DataSettings(str(tmp_path / name)))
        return data.prepare(settings, tmp_path / "out")

    return prepare


def test_prepared_rows_that_are_half_removed_are_prepared_again(tmp_path, monkeypatch, prepare):
    def be_killed(folder, **options):
        for path in sorted((folder / "examples").glob("train-*"))[:5]:
            path.unlink()
        raise Killed

    before = prepare("one")
    with monkeypatch.context() as killed:
        killed.setattr(data.shutil, "rmtree", be_killed)
        with pytest.raises(Killed):
            prepare("other")
    with pytest.raises(FileNotFoundError):
        Prepared.load(tmp_path / "out" / "prepared")
    after = prepare("one")
    assert (after.fingerprint, after.rows) == (before.fingerprint, before.rows)
    assert sum(1 for _ in tf.data.TFRecordDataset(after.files("train"), "GZIP")) == 90
