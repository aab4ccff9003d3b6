"""Health of a model in a `model_run` folder, as the command `tfmtl run` reads it; test_warm_start.py has a training."""

import types

from pipelines.commands import run as command
from pipelines.training.health import print_health, read_health, write_health
from tests.pipelines.training.test_input_pipeline import SPEC
from tfmtl.health import Bound, Health

DEAD = Health("gate", "gate of buy", "relative_entropy", 0.998, Bound(high=0.99))
ALIVE = Health("gate", "gate of click", "relative_entropy", 0.8, Bound(high=0.99))
SENTENCE = "DEAD: The gate of buy is uniform: entropy 0.998 of the maximum (alive: below 0.99)."


def test_a_file_is_read_as_it_was_written(tmp_path):
    assert read_health(str(tmp_path)) == (), "older code wrote none"
    write_health(str(tmp_path), [DEAD, ALIVE])
    assert read_health(str(tmp_path)) == (DEAD, ALIVE)


def test_lines_stand_below_those_of_the_epochs(capsys):
    print_health([DEAD, ALIVE])
    assert capsys.readouterr().out.splitlines() == [
        "    gate of buy: entropy 0.998 of the maximum",
        "    gate of click: entropy 0.800 of the maximum",
        f"    {SENTENCE}",
    ]


def test_the_command_names_dead_mechanisms_below_the_metrics(tmp_path, monkeypatch):
    write_health(str(tmp_path), [DEAD, ALIVE])
    printed = []
    monkeypatch.setattr(command, "console", types.SimpleNamespace(print=lambda text, **_: printed.append(text)))
    monkeypatch.setattr(command, "present", lambda document, *shown: printed.extend(shown))
    monkeypatch.setattr(command, "read_metrics", lambda *_: [])
    monkeypatch.setattr(command, "results_table", lambda *_: "table")
    monkeypatch.setattr(command, "scenario_note", lambda *_: "")
    asked = []
    result = types.SimpleNamespace(uri=lambda *names: asked.append(names) or str(tmp_path))
    command.report_metrics(types.SimpleNamespace(spec=SPEC), result, None)
    assert printed == ["table", SENTENCE]
    assert asked[-1] == ("Trainer", "model_run")
