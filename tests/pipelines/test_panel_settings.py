"""Settings of panels: the kind of the simulator, thresholds of counts, and the optimizer's options."""

import csv
import pathlib

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.settings_file import load_settings
from tests.pipelines.settings_cases import assert_names_line_and_field
from transforms.panels.simulator_options import PanelOptions
from transforms.simulation.options import SimulatorOptions

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
M2M = EXAMPLES / "m2m.yaml"


def test_the_kind_selects_the_simulator():
    assert isinstance(load_settings(M2M).simulator, PanelOptions)
    assert isinstance(load_settings(EXAMPLES / "demo.yaml").simulator, SimulatorOptions)


def test_simulate_writes_panels(tmp_path):
    words = ["simulate", str(M2M), "--out", str(tmp_path / "log"), "--rows", "300", "--seed", "3"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "300 rows in" in result.output
    for name in ("panels.csv", "rates.csv"):
        with (tmp_path / "log" / name).open() as file:
            assert len(list(csv.DictReader(file))) == 300


MISTAKES = [
    ("kind: panels", "kind: panel", "simulator.kind", "should be one of impressions, panels"),
    ("periods: 21", "periods: 0", "simulator.periods", "should be at least 1"),
    ("share: 55", "share: 0", "simulator.scenarios[0].share", "should be above 0"),
    ("beta_2: 0.998", "beta_2: 1.0", "training.optimizer.beta_2", "should be in [0, 1)"),
    ("clip_value: 3.0", "clip_value: 0", "training.optimizer.clip_value", "should be above 0, or null"),
    (
        "patience: 2",
        "monitor: clicks_next_week_auc",
        "training.monitor",
        "should be one of loss, clicks_next_week_loss,",
    ),
    ("num_views: 3", "num_views: 0", "model.options.num_views", "should be at least 1"),
    ("num_views: 3", "sequence_groups: [profile]", "model.options.sequence_groups", "should be groups of sequences"),
    ("behaviour: [logins,", "behaviour: [login,", "spec.groups.behaviour[0]", "should be a feature"),
    ("max_nmae: 0.35,", "max_nmae: -1,", "thresholds.clicks_next_week.max_nmae", "should be at least 0"),
]


@pytest.mark.parametrize(("right", "wrong", "field", "message"), MISTAKES, ids=[m[2] + " " + m[1] for m in MISTAKES])
def test_errors_give_line_and_field(tmp_path, right, wrong, field, message):
    assert_names_line_and_field(M2M, tmp_path, right, wrong, field, message)


def test_options_that_do_not_fit_the_spec_exit_with_code_2(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(M2M.read_text().replace("periods: 21", "periods: 5"))
    result = CliRunner().invoke(main, ["simulate", str(path), "--out", str(tmp_path / "log")])
    assert result.exit_code == 2
    expected = "should be such that the dates 2026-01-05 .. 2026-02-02 include eval_from"
    assert f"Error: {path}: simulator.periods: {expected}" in result.output
