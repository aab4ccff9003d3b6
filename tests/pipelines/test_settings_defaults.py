"""Defaults of a settings file: options of the preset, the monitor, and the batch size by the number of rows."""

import pytest
import tensorflow as tf
import yaml

from pipelines.settings_file import load_settings
from pipelines.training.row_counts import batch_size, count_rows, estimate_rows
from pipelines.training_settings import TrainingSettings
from tfmtl.config import Document, build, to_plain
from tfmtl.models import MODELS, model_class
from tfmtl.training import AdagradOptions, FtrlOptions, default_batch_size

SPEC = {
    "features": [{"name": "user", "kind": "categorical"}],
    "tasks": [
        {"name": "click", "label": "click"},
        {"name": "sale", "label": "sale", "follows": "click"},
        {"name": "visits", "label": "visits", "kind": "count"},
    ],
}


def load(folder, **sections):
    plain = {"name": "shop", "spec": {"name": "shop", **SPEC}, "model": {"name": "mmoe"}, **sections}
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return load_settings(path)


@pytest.mark.parametrize("name", MODELS)
def test_options_that_are_absent_are_those_of_the_preset(tmp_path, name):
    info = MODELS.info(name)
    spec = {"name": "shop", **SPEC, "tasks": SPEC["tasks"][:2]}
    if name == "m2m":
        spec["features"] = [
            {"name": "user", "kind": "categorical"},
            {"name": "week", "kind": "sequence", "max_length": 7},
        ]
        spec["groups"] = {"scenario": ["user"], "profile": ["user"], "behaviour": ["week"], "performance": ["week"]}
    model = load(tmp_path, spec=spec, model={"name": name}).model
    assert model.options == info.preset("default") == model_class(name).preset("default")
    assert model.options["wide"] is True
    given = load(tmp_path, spec=spec, model={"name": name, "options": {"embedding_dim": 8, "wide": False}}).model
    assert given.options == {**info.preset("default"), "embedding_dim": 8, "wide": False}
    assert load(tmp_path, spec=spec, model={"name": name, "preset": None}).model.options == {}
    for preset, options in info.presets.items():
        built = build(info.options_class, Document(to_plain(dict(options))))
        assert built.wide is False, f"the paper of {preset} has no linear term"


def test_another_backbone_does_not_get_the_options_of_the_first(tmp_path):
    spec = {"name": "shop", **SPEC, "tasks": SPEC["tasks"][:2]}
    options = load(tmp_path, spec=spec, model={"name": "adaftr", "options": {"backbone": "ple"}}).model.options
    assert "backbone_options" not in options
    for given in ({}, {"backbone": "mmoe"}):
        options = load(tmp_path, spec=spec, model={"name": "adaftr", "options": given}).model.options
        assert options["backbone_options"]["expert_units"] == [64]


def test_the_monitor_is_the_auc_of_the_last_binary_task(tmp_path):
    assert load(tmp_path).training.monitor == "sale_auc"
    assert load(tmp_path, training={"monitor": "loss"}).training.monitor == "loss"
    counts = {"name": "shop", **SPEC, "tasks": SPEC["tasks"][2:]}
    assert load(tmp_path, spec=counts).training.monitor == "loss"
    stages = load(tmp_path, training={"fine_tuning": {"max_epochs": 1}}).training
    assert stages.second_stage.monitor == "sale_auc"
    stages = load(tmp_path, training={"fine_tuning": {"monitor": "click_auc"}}).training
    assert (stages.monitor, stages.second_stage.monitor) == ("sale_auc", "click_auc")
    stages = load(tmp_path, training={"monitor": "click_auc", "fine_tuning": {}}).training
    assert stages.second_stage.monitor == "click_auc", "that of the first stage"
    stages = load(tmp_path, training={"fine_tuning": {"monitor": "loss"}}).training
    assert (stages.monitor, stages.second_stage.monitor) == ("sale_auc", "loss"), "a monitor that is given"


def test_the_second_stage_has_the_optimizer_of_the_first_unless_it_names_one(tmp_path):
    first = {"optimizer": {"kind": "adagrad", "weight_decay": 0.1}, "fine_tuning": {"learning_rate": 0.2}}
    training = load(tmp_path, training=first).training
    assert training.second_stage.optimizer == training.optimizer == AdagradOptions(weight_decay=0.1)
    assert (training.second_stage.learning_rate, training.learning_rate) == (0.2, 0.01)
    assert "optimizer" not in to_plain(training)["fine_tuning"], "which a search may still change in the first stage"
    own = {**first, "fine_tuning": {"optimizer": {"kind": "ftrl"}}}
    assert load(tmp_path, training=own).training.second_stage.optimizer == FtrlOptions()
    assert load(tmp_path).training.second_stage is None


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, 64), (19_999, 64), (20_000, 128), (40_000, 256), (100_000, 512), (1_600_000, 1024), (16_000_000, 4096)],
)
def test_batch_size_by_rows(rows, size):
    assert default_batch_size(rows) == size


def test_batch_size_is_chosen_by_the_rows_of_the_files(tmp_path, monkeypatch):
    files = []
    for i, rows in enumerate((300, 900)):
        files.append(str(tmp_path / f"part-{i}.gz"))
        with tf.io.TFRecordWriter(files[-1], tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for row in range(rows):
                writer.write(f"{row * 7919 % 1000:03}".encode() * 20)
    assert count_rows(files) == 1200
    assert estimate_rows(files) == pytest.approx(1200, rel=0.1)
    assert estimate_rows([]) == 0
    assert batch_size(TrainingSettings(), files) == 64
    monkeypatch.setattr("pipelines.training.row_counts.estimate_rows", lambda names: 100_001)
    assert batch_size(TrainingSettings(), files) == 512
    assert batch_size(TrainingSettings(batch_size=7), files) == 7
