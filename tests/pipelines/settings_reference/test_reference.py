"""Reference of the settings: every field is in it, with type, default and meaning, and it fits a terminal."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.settings import Settings
from pipelines.settings_reference.sections import settings_sections
from pipelines.training_settings import TrainingSettings

SECTIONS = {section.path: section for section in settings_sections()}


def shown(*words):
    result = CliRunner().invoke(main, ["settings", *words])
    return result.exit_code, result.output


def test_fields_have_type_default_and_meaning():
    entries = {entry.name: entry for entry in SECTIONS["training"].entries}
    assert set(entries) == {field.name for field in dataclasses.fields(TrainingSettings)}
    batch_size = entries["batch_size"]
    assert (batch_size.type, batch_size.default) == ("int | null", "null")
    assert batch_size.meaning.startswith("Number of rows per training step")
    assert entries["optimizer"].sections == tuple(f"training.optimizer ({k})" for k in ("adam", "adagrad", "ftrl"))
    assert {entry.name: entry.default for entry in SECTIONS[""].entries}["name"] is None


def test_every_nested_dataclass_has_one_section():
    kinds = [section.kind for section in SECTIONS.values()]
    assert kinds[0] is Settings
    assert len(kinds) == len(set(kinds)) > 40
    assert all(entry.meaning for section in SECTIONS.values() for entry in section.entries)
    assert {"spec.features[] (categorical)", "thresholds.NAME", "data", "kubeflow.steps.NAME"} <= set(SECTIONS)


def test_the_reference_fits_80_columns():
    code, output = shown()
    assert code == 0, output
    assert max(map(len, output.splitlines())) <= 80
    assert "batch_size: int | null = null" in output
    assert all(section.path in output for section in SECTIONS.values())


def test_one_section_is_shown_with_those_inside_it():
    code, output = shown("training.optimizer")
    assert code == 0, output
    assert "training.optimizer (adam)" in output
    assert "shuffle_rows" not in output


def test_json_has_the_fields_of_a_section():
    code, output = shown("tune", "--json")
    assert code == 0, output
    first = json.loads(output)["sections"][0]
    assert first["path"] == "tune"
    assert [field["name"] for field in first["fields"]] == ["trials", "method", "seed", "space"]


@pytest.mark.parametrize("words", [["trainig"], ["training.optimiser"]])
def test_an_unknown_section_is_refused_with_the_nearest_one(words):
    code, output = shown(*words)
    assert code == 2
    assert "Did you mean" in output
    assert "Traceback" not in output
