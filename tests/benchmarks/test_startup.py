"""Benchmark of the time that commands take to answer."""

import click
import pytest

from benchmarks.page import markdown_table
from benchmarks.startup import PEER, make_commands, make_table, measure


def test_table_has_the_ratio_to_the_import_of_tensorflow():
    lines = markdown_table(make_table({PEER: 4.0, "tfmtl --help": 0.5})).splitlines()
    assert f"| {PEER} | 4.00 | 1.00 |" in lines
    assert "| tfmtl --help | 0.50 | 0.12 |" in lines


def test_measures_commands_that_answer_and_settings_that_are_refused(tmp_path):
    commands = make_commands(tmp_path)
    assert "max_epoch:" in (tmp_path / "wrong.yaml").read_text()
    chosen = {name: commands[name] for name in ("tfmtl models", "tfmtl run wrong.yaml")}
    seconds = measure(chosen, rounds=1)
    assert list(seconds) == list(chosen)
    assert all(one > 0 for one in seconds.values())


def test_a_command_that_fails_is_an_error():
    with pytest.raises(click.ClickException, match="broken failed"):
        measure({"broken": ["-c", "raise SystemExit(1)"]}, rounds=1)
