"""Command `tfmtl models`: a line for each model, and the options and presets of one."""

import dataclasses

import pytest
from rich.console import Console

from pipelines import terminal
from pipelines.commands import models as command
from tfmtl.config import ConfigError
from tfmtl.models import MODELS, ModelOptions


@pytest.fixture(autouse=True)
def _console_of_100_columns(monkeypatch):
    monkeypatch.setattr(terminal, "console", Console(width=100))


def shown_parts(capsys, name):
    """Text before the options of a model, its own options, those of every model, and the presets."""
    command.show_model(name)
    before, _, rest = capsys.readouterr().out.partition(f"Options of {name}")
    own, _, rest = rest.partition("Options of every model")
    common, _, presets = rest.partition("Presets")
    return before, own, common, presets


def rows(table):
    """First cells of the rows of a table; the lines that continue a row have none."""
    cells = [line[1:].split(" ")[0] for line in table.splitlines()]
    return [cell for cell in cells if cell.isidentifier()][1:]


def test_each_model_has_a_line(capsys):
    command.list_models()
    lines = capsys.readouterr().out.splitlines()
    (mmoe,) = (line for line in lines if line.startswith(" mmoe "))
    assert [cell.strip() for cell in mmoe.split("  ") if cell.strip()] == [
        "mmoe",
        "MMoE",
        "Shared experts, a gate for each task",
        "Ma et al., 2018",
    ]
    table = lines[lines.index(next(line for line in lines if "──" in line)) + 1 : -2]
    assert [line.split()[0] for line in table] == sorted(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_each_option_has_a_row_and_those_of_every_model_are_last(capsys, name):
    info = MODELS.info(name)
    before, own, common, presets = shown_parts(capsys, name)
    assert info.paper in before
    assert f"{info.module}.{info.class_name}" in before
    assert sorted([*rows(own), *rows(common)]) == sorted(field.name for field in dataclasses.fields(info.options_class))
    assert set(rows(common)) <= {field.name for field in dataclasses.fields(ModelOptions)}
    assert rows(presets) == list(info.presets)


def test_an_option_has_its_type_its_default_and_its_meaning(capsys):
    _, own, common, presets = shown_parts(capsys, "man")
    (line,) = (line for line in own.splitlines() if line.startswith(" expert_units "))
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == [
        "expert_units",
        "list of int",
        "[64]",
        "[256, 128]",
        "Width of each layer of an",
    ]
    (line,) = (line for line in own.splitlines() if line.startswith(" attention_query "))
    assert " current     " + " " * 10 in line, "the class has the same default"
    assert " embedding | raw " in own
    assert "weighting" in rows(own), "MAN changes the default"
    assert "weighting" not in rows(common)
    assert "float | float by name" in common
    assert "{embedding_dim: 5, attention: false}" in presets


def test_unknown_model_is_an_error_with_a_suggestion():
    with pytest.raises(ConfigError, match=r"^NAME should be .* Did you mean `mmoe`\? Received: 'mmoee'$"):
        command.show_model("mmoee")
    with pytest.raises(ConfigError, match=r"Models: adaftr, aitm, .* Received: 'xxxxx'$"):
        command.show_model("xxxxx")
