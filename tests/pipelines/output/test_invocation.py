"""Output of a command: tables or JSON, with notes or without."""

import json
import math
import sys

import numpy as np
import pytest
from rich.table import Table

from pipelines import terminal
from pipelines.output.invocation import invocation, present
from pipelines.output.plain import plain

VALUE = 0.12345678901234566


def command():
    """A command with notes and a result of two parts."""
    terminal.console.print("a note")
    print("a line of a library")
    table = Table("auc")
    table.add_row(f"{VALUE:.4f}")
    present({"auc": np.float64(VALUE), "undefined": math.nan, "rows": [1]}, table)
    present({"rows": [2]}, "the result")


def test_tables_and_notes_are_on_stdout(capsys):
    with invocation():
        command()
    out = capsys.readouterr().out
    assert all(text in out for text in ("a note", "a line of a library", "0.1235", "the result"))


def test_json_is_one_document_with_all_digits_and_null(capsys):
    with invocation(as_json=True):
        command()
    out, err = capsys.readouterr()
    assert json.loads(out) == {"auc": VALUE, "undefined": None, "rows": [1, 2]}
    assert "a note" in err
    assert "a line of a library" in err


def test_quiet_shows_the_result_only(capsys):
    with invocation(verbosity=-1):
        command()
    out, err = capsys.readouterr()
    assert "the result" in out
    assert "0.1235" in out
    assert "note" not in out + err
    assert "library" not in out + err


def test_verbose_shows_versions_and_the_duration_on_stderr(capsys):
    with invocation(verbosity=1, name="run"):
        command()
    err = capsys.readouterr().err
    assert f"Python {sys.version_info.major}." in err
    assert "tensorflow 2." in err
    assert "tfmtl run: 0.0 s, in /" in err


def refused(end):
    with invocation(as_json=True):
        present({"blessed": False})
        end()


def test_an_exit_code_that_is_a_result_leaves_the_document_and_an_error_does_not(capsys):
    with pytest.raises(SystemExit):
        refused(lambda: sys.exit(3))
    assert json.loads(capsys.readouterr().out) == {"blessed": False}
    with pytest.raises(ZeroDivisionError):
        refused(lambda: 1 / 0)
    assert capsys.readouterr().out == ""


def test_colours_are_for_terminals_unless_they_are_asked_for(capsys):
    for color, expected in (("auto", False), ("always", True), ("never", False)):
        with invocation(color=color):
            terminal.console.print("[red]red[/red]")
        assert ("\x1b[31m" in capsys.readouterr().out) == expected


@pytest.mark.parametrize("value", [math.inf, np.float32("nan")])
def test_what_is_not_finite_is_null(value):
    assert plain({"a": [value]}) == {"a": [None]}


def test_what_json_does_not_know_is_an_error():
    with pytest.raises(TypeError, match="Received: object"):
        plain([object()])
