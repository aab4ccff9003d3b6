"""Artifacts that stand for none, as inputs of Trainer and Evaluator: one whose files are gone is not one of them."""

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.types import standard_artifacts

from pipelines.components.empty_artifact import mark, present
from pipelines.components.trainer import GenericExecutor, LogTrainerExecutor


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_trainer_starts_from_a_model_unless_the_artifact_stands_for_none(monkeypatch, tmp_path, is_empty):
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "removed")
    mark(model, is_empty)
    found = FnArgs(base_model=f"{model.uri}/Format-Serving", custom_config={"checkpoints": "{root}/checkpoints"})
    monkeypatch.setattr(GenericExecutor, "_GetFnArgs", lambda *_: found)
    arguments = LogTrainerExecutor()._GetFnArgs({"base_model": [model]}, {}, {"root": "/volume/"})
    assert arguments.base_model == (None if is_empty else f"{model.uri}/Format-Serving")
    assert arguments.custom_config == {"checkpoints": "/volume/checkpoints"}


def test_artifacts_without_the_property_are_present():
    artifacts = [standard_artifacts.Model(), standard_artifacts.ExampleStatistics()]
    assert present(artifacts) == artifacts
    assert present(None) == present([]) == []
