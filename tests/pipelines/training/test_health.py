"""Health of a model after training: printed, kept beside the history, and read by the command `tfmtl run`."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from pipelines.commands import run as command
from pipelines.training.health import read_health, write_health
from pipelines.training.input_pipeline import InputPipeline
from tests.pipelines.training.test_warm_start import SPEC, make_day, train
from tfmtl.health import Bound, Health, dead_sentences, health_lines

DEAD = Health("gate", "gate of buy", "relative_entropy", 0.998, Bound(high=0.99))
ALIVE = Health("gate", "gate of click", "relative_entropy", 0.8, Bound(high=0.99))


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return make_day(tmp_path_factory.mktemp("log") / "day", 1, range(30))


def test_training_prints_and_keeps_the_health(day, tmp_path, capsys):
    train(day, tmp_path)
    found = read_health(str(tmp_path / "run"))
    assert [(one.mechanism, one.measure) for one in found] == [
        (f"gate of {task}", measure)
        for task in ("click", "buy")
        for measure in ("relative_entropy", "weight_variation", "expert_use")
    ]
    assert dead_sentences(found), "the gates are uniform after a few steps"
    printed = capsys.readouterr().out
    assert "".join(f"    {line}\n" for line in health_lines(found)) in printed
    assert printed.index("epoch 1/1") < printed.index("gate of click: entropy ")
    plain = json.loads((tmp_path / "run" / "health.json").read_text())
    assert plain[0] == found[0].to_plain()
    assert (tmp_path / "run" / "history.json").exists()


def test_no_file_is_no_health(tmp_path):
    assert read_health(str(tmp_path)) == ()
    write_health(str(tmp_path), [DEAD, ALIVE])
    assert read_health(str(tmp_path)) == (DEAD, ALIVE)


def test_the_command_names_dead_mechanisms_below_the_metrics(tmp_path, monkeypatch):
    write_health(str(tmp_path), [DEAD, ALIVE])
    printed = []
    monkeypatch.setattr(command, "console", types.SimpleNamespace(print=lambda text, **_: printed.append(text)))
    monkeypatch.setattr(command, "read_metrics", lambda *_: [])
    monkeypatch.setattr(command, "results_table", lambda *_: "table")
    monkeypatch.setattr(command, "scenario_note", lambda *_: "")
    result = types.SimpleNamespace(uri=lambda step, key: str(tmp_path))
    command.report_metrics(types.SimpleNamespace(spec=SPEC), result, None)
    assert printed == [
        "table",
        "DEAD: The gate of buy is uniform: entropy 0.998 of the maximum (alive: below 0.99).",
    ]


@pytest.mark.parametrize(
    ("batch_size", "rows", "sizes"), [(64, 150, [64, 64, 64]), (300, 100, [100]), (300, 600, [300, 100])]
)
def test_first_rows_are_those_of_the_files_in_their_order(day, batch_size, rows, sizes):
    transform = tft.TFTransformOutput(day.graph).transform_features_layer()
    batches = list(InputPipeline(SPEC, transform, batch_size).first_rows([day.file], rows))
    assert [len(labels["click"]) for _, labels in batches] == sizes
    expected = day.features(day.examples[: sum(sizes)])
    for name, values in expected.items():
        found = tf.concat([features[name] for features, _ in batches], axis=0)
        np.testing.assert_array_equal(found, values)
        assert found.dtype == values.dtype
