"""Simulated logs match settings and code, also after the process was killed."""

import dataclasses
import pathlib
import re

import pytest
import yaml

from pipelines import preparation as data
from pipelines import simulated_log
from pipelines.commands import demo
from pipelines.settings_file import load_settings
from pipelines.simulated_log import draw, draw_once
from tests.pipelines.test_code_hash import modules
from tfmtl.config import ConfigError

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
DEMO = load_settings(EXAMPLES / "demo.yaml")


class Killed(BaseException):
    """Simulates the end of the process."""


def settings_with_rows(rows, settings=DEMO):
    return dataclasses.replace(settings, simulator=dataclasses.replace(settings.simulator, rows=rows))


class Drawer:
    """Writes the number of rows as a log, or part of it before the process is killed."""

    def __init__(self, killed=False):
        self.drawn = []
        self._killed = killed

    def __call__(self, settings, folder):
        folder.mkdir(exist_ok=True)
        self.drawn.append(settings.simulator.rows)
        (folder / "log.csv").write_text("partial" if self._killed else str(settings.simulator.rows))
        if self._killed:
            raise Killed


def test_a_complete_log_of_the_same_settings_is_not_drawn_again(tmp_path):
    drawer = Drawer()
    drawn = [draw_once(settings_with_rows(rows), tmp_path / "log", drawer) for rows in (300, 300, 200, 300)]
    assert drawn == [True, False, True, True]
    assert drawer.drawn == [300, 200, 300]


def test_an_incomplete_log_is_drawn_again(tmp_path):
    folder = tmp_path / "log"
    draw_once(settings_with_rows(300), folder, Drawer())
    with pytest.raises(Killed):
        draw_once(settings_with_rows(200), folder, Drawer(killed=True))
    assert (folder / "log.csv").read_text() == "partial"
    for rows in (300, 200):
        assert draw_once(settings_with_rows(rows), folder, Drawer())
        assert (folder / "log.csv").read_text() == str(rows)


def test_a_log_of_other_code_is_drawn_again(tmp_path, monkeypatch):
    drawer, hashed = Drawer(), set()
    for code in ("old", "old", "new"):
        monkeypatch.setattr(simulated_log, "code_hash", lambda *names, code=code: hashed.update(names) or code)
        draw_once(settings_with_rows(300), tmp_path / "log", drawer)
    assert drawer.drawn == [300, 300]
    simulator_modules = set().union(*map(modules, hashed))
    assert {
        "transforms.simulation.world",
        "transforms.panels.simulator_world",
        "transforms.ali_ccp.simulator",
    } <= simulator_modules
    assert not {"transforms.ingest.ingest_files", "transforms.preprocessing"} & simulator_modules


@pytest.mark.parametrize("settings", [DEMO, load_settings(EXAMPLES / "m2m.yaml")])
def test_a_comparison_draws_its_log_once(tmp_path, monkeypatch, settings):
    drawer = Drawer()
    monkeypatch.setattr(data, "draw_once", lambda *arguments: draw_once(*arguments, drawer))
    for _ in range(2):
        assert data.simulated_log(settings, tmp_path / "log") == tmp_path / "log"
    assert drawer.drawn == [settings.simulator.rows]


def test_the_demonstration_draws_its_log_once(tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text((EXAMPLES / "demo.yaml").read_text().replace("rows: 200000", "rows: 300"))
    for _ in range(2):
        demo.make_log(path, tmp_path / "data")
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert re.match(r"300 impressions in [\d.]+ s -> .* .* already holds the simulated log", printed)


def test_rejects_settings_that_cannot_be_simulated(tmp_path):
    with pytest.raises(ConfigError, match=r"simulator: should be given to simulate a log. Received: none"):
        draw(dataclasses.replace(DEMO, simulator=None), tmp_path)
    plain = yaml.safe_load((EXAMPLES / "demo.yaml").read_text())
    del plain["simulator"]["features"]["price"]
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(ConfigError, match=r"^simulator\.features\.price: should be given"):
        draw(load_settings(path), tmp_path)
