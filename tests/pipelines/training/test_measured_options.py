"""Options that are measured on the training rows: the planned number of training steps."""

import pytest

from pipelines.training import measured_options
from pipelines.training_settings import TrainingSettings

TRAINING = TrainingSettings(max_epochs=4)


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    monkeypatch.setattr(measured_options, "estimate_rows", lambda files: {"a": 1001, "b": 0}[files[0]])


def planned(model, options, files=("a",)):
    return measured_options.with_planned_steps(model, options, TRAINING, 100, files)


def test_steps_are_those_of_all_epochs():
    assert planned("apem", {"num_layers": 1}) == {"num_layers": 1, "gamma_steps": 4 * 11}
    assert planned("apem", {"gamma_decay": None})["gamma_steps"] == 44
    assert planned("apem", {}, ("b",)) == {"gamma_steps": 1}


@pytest.mark.parametrize("options", [{"gamma_steps": 7}, {"gamma_decay": 2e-4}])
def test_given_schedule_stays(options):
    assert planned("apem", options) == options


def test_other_models_have_no_such_option():
    assert planned("mmoe", {"num_experts": 2}) == {"num_experts": 2}
