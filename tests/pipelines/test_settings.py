"""Settings files: the examples load, and errors give file, line and field."""

import pathlib

import pytest

from pipelines.settings_file import load_settings
from tests.pipelines.settings_cases import assert_names_line_and_field
from tfmtl.config import ConfigError

EXAMPLES = sorted((pathlib.Path(__file__).parents[2] / "examples").glob("*.yaml"))
EXAMPLES = [path for path in EXAMPLES if not path.stem.startswith("compare_")]
WORLDS = sorted(path for path in (EXAMPLES[0].parent / "worlds").glob("*.yaml") if "compare" not in path.stem)
DEMO = next(path for path in EXAMPLES if path.name == "demo.yaml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load(path):
    settings = load_settings(path, data="elsewhere")
    assert settings.name == path.stem
    assert settings.data.path == "elsewhere"
    assert settings.thresholds, "an example should have thresholds"
    assert "# Command:" in path.read_text(), "the header of an example should give its command"


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
def test_worlds_have_their_premise_at_full_strength(path):
    settings = load_settings(path)
    assert (settings.name, settings.model.name) == (f"world_{path.stem}", path.stem)
    assert settings.simulator.premise.strength == 1
    assert 30_000 <= settings.simulator.rows <= 50_000
    assert settings.thresholds
    header = path.read_text().partition("\nname:")[0]
    for command in ("simulate", "run"):
        assert f"tfmtl {command} examples/worlds/{path.name}" in header
    assert len(WORLDS) == 4


MISTAKES = [
    ("name: mmoe", "name: mmmoe", "model.name", "should be one of"),
    ("num_experts: 4", "num_expert: 4", "model.options.num_expert", "Did you mean `num_experts`"),
    ("num_experts: 4", "num_experts: 0", "model.options.num_experts", "should be at least 1"),
    ("batch_size: 1024", "batch_size: 0", "training.batch_size", "should be at least 1"),
    ("batch_size: 1024", "batch_size: many", "training.batch_size", "should be an integer"),
    ("patience: 1", "monitor: click_auc", "training.monitor", "should be one of loss"),
    ("patience: 1", "fine_tuning: {monitor: cvr_aucc}", "training.fine_tuning.monitor", "should be one of loss"),
    ("  ctr: {min_auc: 0.6,", "  clicks: {min_auc: 0.6,", "thresholds.clicks", "should be an output of the spec"),
    ("  ctr: {min_auc: 0.6,", "  ctr: {min_auc: 6,", "thresholds.ctr.min_auc", "should be in [0, 1]"),
    ("pattern: impressions.csv", "reader: xml", "data.reader", "should be one of auto, csv"),
    ("follows: click", "follows: view", "spec.tasks[1].follows", "should be a task listed before it"),
]


@pytest.mark.parametrize(("right", "wrong", "field", "message"), MISTAKES, ids=[m[2] + " " + m[1] for m in MISTAKES])
def test_errors_give_line_and_field(tmp_path, right, wrong, field, message):
    assert_names_line_and_field(DEMO, tmp_path, right, wrong, field, message)


def test_a_file_inherits_the_sections_of_its_base(tmp_path):
    (tmp_path / "demo.yaml").write_text(DEMO.read_text())
    path = tmp_path / "mine.yaml"
    path.write_text("base: demo.yaml\nname: mine\nmodel: {name: shared_bottom}\n")
    mine, demo = load_settings(path), load_settings(DEMO)
    assert (mine.name, mine.model.name) == ("mine", "shared_bottom")
    assert (mine.spec, mine.training, mine.simulator) == (demo.spec, demo.training, demo.simulator)


def test_errors_give_the_file_of_the_section(tmp_path):
    (tmp_path / "demo.yaml").write_text(DEMO.read_text().replace("batch_size: 1024", "batch_size: 0"))
    path = tmp_path / "mine.yaml"
    path.write_text("base: demo.yaml\nname: mine\n")
    with pytest.raises(ConfigError, match=r"demo\.yaml:\d+: training\.batch_size: should be at least 1"):
        load_settings(path)
    path.write_text("base: demo.yaml\nname: mine\ntraining: {batch_size: 0}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:3: training\.batch_size: should be at least 1"):
        load_settings(path)
    path.write_text("base: not_there.yaml\nname: mine\n")
    with pytest.raises(ConfigError, match=r"not_there\.yaml: should be a readable YAML file"):
        load_settings(path)
