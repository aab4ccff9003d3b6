"""Calibration of a trained model on the eval split, and its lines below those of the epochs."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.training.calibrate import calibrate
from tests.tfmtl import cases
from tests.tfmtl.tiny_models import tiny

ROWS = 2000
SPEC = dataclasses.replace(cases.pair(), scenario="user")
FEATURES = {**cases.features(ROWS), "user": np.arange(ROWS) % 2}
LABELS = cases.labels(SPEC, ROWS)


@dataclasses.dataclass
class Inputs:
    """Stands for the input pipeline."""

    labels: dict

    def evaluation(self, files):
        assert files == ["eval"]
        return tf.data.Dataset.from_tensor_slices((FEATURES, self.labels)).batch(512)


@pytest.mark.parametrize("name", ["mmoe", "adaftr"])
def test_outputs_agree_with_the_labels(name, capsys):
    model = tiny(name, SPEC, calibration={"click": "platt"})
    calibrate(model, Inputs(LABELS), ["eval"])
    assert np.mean(model.score(FEATURES)["ctr"]) == pytest.approx(LABELS["click"].mean(), rel=0.01)
    line = "    calibration of click: platt, one map for all rows, and 2 for values of user\n"
    assert capsys.readouterr().out == line


def test_a_head_with_few_events_is_reported(capsys):
    model = tiny("mmoe", SPEC, calibration={"buy": "isotonic"})
    calibrate(model, Inputs({**LABELS, "buy": 0 * LABELS["buy"]}), ["eval"])
    printed = capsys.readouterr().out
    assert printed.startswith("    calibration: the head of `buy` is not calibrated: labels should have at least 10")


def test_a_model_without_calibration_reads_no_rows(capsys):
    calibrate(tiny("mmoe", SPEC), None, ["eval"])
    assert capsys.readouterr().out == ""
