"""`tfmtl init` over small logs of different shapes: its settings load, and hold the expected decisions."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.settings_file import load_settings
from tests.pipelines.init.log_files import LOGS, PLAIN, draw, text, written
from tfmtl.config import to_plain

RUN = ("no header", "conditions on a rating", "folders by day", "semicolons", "texts of missing values")
"""Logs on which the pipeline runs."""


def init(log, folder, *options, tasks=("clicked", "bought")):
    arguments = [argument for task in tasks for argument in ("--task", task)]
    command = ["init", str(log), *arguments, "--out", str(folder / "settings.yaml"), "--overwrite", *options]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def find(settings, path):
    """Returns the value at a dotted path; features and tasks are found by their names."""
    section, _, rest = path.partition(".")
    plain = to_plain(settings)
    if section in ("features", "tasks"):
        name, _, field = rest.partition(".")
        entries = {one["name"]: one for one in plain["spec"][section]}
        if section == "features":
            return entries[name]["kind"] if name in entries else None
        return entries[name].get(field)
    data = plain["spec"] if section in ("split", "group_key") else plain
    for part in path.split("."):
        data = data.get(part, {})
    return data or None


@pytest.mark.parametrize("name", LOGS)
def test_decisions(name, tmp_path):
    log = LOGS[name]
    result = init(log.write(tmp_path), tmp_path, *log.options, tasks=log.tasks)
    assert result.exit_code == 0, result.output
    settings = load_settings(tmp_path / "settings.yaml")
    found = {path: find(settings, path) for path in log.expected}
    assert found == {
        path: tuple(v) if isinstance(v, list) and isinstance(found[path], tuple) else v
        for path, v in log.expected.items()
    }
    assert "next: tfmtl run" in result.output


@pytest.mark.long
@pytest.mark.parametrize("name", RUN)
def test_the_pipeline_runs_with_the_settings(name, tmp_path):
    log = LOGS[name]
    result = init(log.write(tmp_path), tmp_path, *log.options, tasks=log.tasks)
    assert result.exit_code == 0, result.output
    settings = tmp_path / "settings.yaml"
    plain = yaml.safe_load(settings.read_text())
    plain["training"]["max_epochs"] = 1
    del plain["thresholds"]
    settings.write_text(yaml.safe_dump(plain))
    result = CliRunner().invoke(main, ["run", str(settings), "--out", str(tmp_path / "run"), "--no-reference"])
    assert result.exit_code in (0, 3), result.output
    assert "Test split" in result.output


def test_the_profile_shows_values_that_may_mean_missing(tmp_path):
    result = init(LOGS["texts of missing values"].write(tmp_path), tmp_path)
    assert "33.3% NULL" in " ".join(result.output.split())


def test_leaks_are_named_and_can_be_kept(tmp_path):
    log = LOGS["leaks, ids of rows, constants"].write(tmp_path)
    assert "Warning: dwell: left out" in init(log, tmp_path).output
    init(log, tmp_path, "--keep", "dwell", "--drop", "price")
    names = [feature.name for feature in load_settings(tmp_path / "settings.yaml").spec.features]
    assert "dwell" in names
    assert "price" not in names


def test_settings_are_not_replaced(tmp_path):
    log = LOGS["csv"].write(tmp_path)
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    command = ["init", str(log), "--task", "clicked", "--out", str(tmp_path / "mine.yaml")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "--out should be a new file (or use --overwrite)" in result.output
    assert (tmp_path / "mine.yaml").read_text() == "name: mine\n"


def test_a_missing_log_and_a_repeated_column(tmp_path):
    result = init(tmp_path / "none.csv", tmp_path)
    assert (result.exit_code, result.output.startswith("Error: LOG should be a file")) == (2, True)
    log = written("log.csv", "user,user,clicked\na,b,1\nb,c,0\n")(tmp_path)
    result = init(log, tmp_path, tasks=("clicked",))
    assert result.exit_code == 2
    assert "should name each column once. Received twice: user" in result.output


def test_rows_that_break_the_chain_are_counted(tmp_path):
    columns = {**PLAIN, "bought": [1 if i == 5 else bought for i, bought in enumerate(PLAIN["bought"])]}
    columns["clicked"] = [0 if i == 5 else click for i, click in enumerate(PLAIN["clicked"])]
    result = init(written("log.csv", text(columns))(tmp_path), tmp_path)
    assert "bought follows clicked: 1 of" in " ".join(result.output.split())


@pytest.mark.parametrize(("share", "is_chain"), [(0.01, True), (0.05, False)])
def test_a_chain_allows_few_rows_that_break_it(share, is_chain, tmp_path):
    clicked, bought = np.array(PLAIN["clicked"]), np.array(PLAIN["bought"])
    clicked[np.flatnonzero(bought)[: round(share * bought.sum())]] = 0
    init(written("log.csv", text({**PLAIN, "clicked": clicked.tolist()}))(tmp_path), tmp_path)
    assert (load_settings(tmp_path / "settings.yaml").spec.tasks[1].follows == "clicked") == is_chain


def test_integers_whose_size_says_nothing_are_ids(tmp_path):
    rng = np.random.default_rng(0)
    movie, size = rng.integers(100, size=4000), rng.integers(1000, size=4000)
    effect = rng.random(100)
    label = rng.random(4000) < 0.5 * effect[movie] + 0.0005 * size
    columns = {"movie": movie.tolist(), "amount": size.tolist(), "clicked": label.astype(int).tolist()}
    init(written("log.csv", text(columns))(tmp_path), tmp_path, tasks=("clicked",))
    kinds = {feature.name: feature.kind for feature in load_settings(tmp_path / "settings.yaml").spec.features}
    assert kinds == {"movie": "categorical", "amount": "numerical"}


def test_tasks_without_a_chain(tmp_path):
    columns = {**PLAIN, "bought": [i % 2 for i in range(len(PLAIN["bought"]))]}
    result = init(written("log.csv", text(columns))(tmp_path), tmp_path)
    assert "bought does not follow clicked" in " ".join(result.output.split())
    assert load_settings(tmp_path / "settings.yaml").spec.tasks[1].follows is None


def test_amounts_are_values_that_follow_the_last_event(tmp_path):
    rng = np.random.default_rng(0)
    bought = np.array(PLAIN["bought"])
    columns = {
        **PLAIN,
        "revenue": np.where(bought == 1, rng.lognormal(3, 1, len(bought)).round(2), 0).tolist(),
        "dwell_ms": rng.integers(2, 90_000, len(bought)).tolist(),
        "visits": rng.poisson(3, len(bought)).tolist(),
    }
    tasks = ("revenue", "clicked", "bought", "dwell_ms", "visits")
    result = init(written("log.csv", text(columns))(tmp_path), tmp_path, tasks=tasks)
    settings = load_settings(tmp_path / "settings.yaml")
    found = {task.name: (task.kind, task.follows) for task in settings.spec.tasks}
    assert found["bought"] == ("binary", "clicked")
    assert found["revenue"] == ("value", "bought")
    assert found["dwell_ms"] == ("value", None)
    assert found["visits"] == ("count", None)
    output = " ".join(result.output.split())
    assert "revenue is a value, whose mean above 0 is" in output
    assert "it has amounts such as" in output
    assert "revenue follows bought: no row has revenue without bought." in output
    assert "`ms` in its name is an amount" in output or "`dwell` in its name is an amount" in output
    assert "visits is a count: all of its labels are integers" in output
    assert settings.training.monitor == "loss"


def test_scenario_group_and_time(tmp_path):
    log = LOGS["csv"].write(tmp_path)
    init(log, tmp_path, "--scenario", "item_id", "--group", "item_id", "--time", "")
    spec = load_settings(tmp_path / "settings.yaml").spec
    assert (spec.scenario, spec.group_key, spec.split.kind) == ("item_id", "item_id", "random")


@pytest.mark.parametrize(
    ("options", "tasks", "message"),
    [
        ((), ("clickd",), "should have the column clickd. Received: user_id,"),
        ((), ("tags",), "--task tags: should hold 0 or 1, counts, or amounts of at least 0. Received:"),
        ((), ("price>=0",), "--task price: should have positive and negative rows. Received: 1 in all rows"),
        (("--scenario", "device"), ("clicked",), "should have the column device."),
        (("--time", "price"), ("clicked",), "--time price: should be a column of times. Received:"),
        (("--delimiter", "::"), ("clicked",), "--delimiter: should be one ASCII character"),
        (("--reader", "json"), ("clicked",), "--reader: should be one of auto, csv"),
    ],
)
def test_mistakes_end_in_one_line(options, tasks, message, tmp_path):
    result = init(LOGS["csv"].write(tmp_path), tmp_path, *options, tasks=tasks)
    assert result.exit_code == 2
    lines = result.output.strip().splitlines()
    assert message in " ".join(lines)
    assert len(lines) <= 3
    assert not (tmp_path / "settings.yaml").exists()


def test_init_imports_no_tensorflow(tmp_path):
    log = LOGS["csv"].write(tmp_path)
    code = (
        "import sys; from pipelines.cli import main;"
        f"main(['init', {str(log)!r}, '--task', 'clicked', '--out', {str(tmp_path / 's.yaml')!r}],"
        "standalone_mode=False);"
        "print('imported:', [name for name in ('tensorflow', 'keras', 'tfx', 'apache_beam') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "imported: []", done.stderr


WEIGHTED = {"tag_weights": "0.{}", "tags_weight": "{}", "tag_scores": "1.{}"}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_of_a_list_belong_to_it(name, tmp_path):
    columns = draw()
    weights = [
        "|".join(WEIGHTED[name].format(i + 1) for i, _ in enumerate(tags.split("|"))) for tags in columns["tags"]
    ]
    (tmp_path / "log.csv").write_text(text({**columns, name: weights}), encoding="utf-8")
    assert init(tmp_path / "log.csv", tmp_path).exit_code == 0
    features = {one.name: one for one in load_settings(tmp_path / "settings.yaml").spec.features}
    assert features["tags"].weights == name
    assert name not in features


@pytest.mark.parametrize(("last", "kind"), [("0.5|-1.25|3", "dense"), ("0.5|1.25", "number_sequence")])
def test_lists_of_numbers_of_one_length_are_vectors(last, kind, tmp_path):
    columns = draw()
    vectors = [f"0.5|-{i % 7}.25|3.0" for i in range(len(columns["tags"]))]
    (tmp_path / "log.csv").write_text(text({**columns, "title": [*vectors[:-1], last]}), encoding="utf-8")
    assert init(tmp_path / "log.csv", tmp_path).exit_code == 0
    (feature,) = [one for one in load_settings(tmp_path / "settings.yaml").spec.features if one.name == "title"]
    assert feature.kind == kind
    assert feature.max_length == 3


@pytest.mark.parametrize("change", ["another length", "negative", "another name", "another separator"])
def test_a_list_of_numbers_that_fits_no_list_is_a_feature_of_its_own(change, tmp_path):
    columns = draw()
    name = "bids" if change == "another name" else "tag_weights"
    separator = ";" if change == "another separator" else "|"
    weights = [separator.join(f"{1.5 + i}" for i, _ in enumerate(tags.split("|"))) for tags in columns["tags"]]
    weights[7] = {"another length": f"{weights[7]}|2.5", "negative": weights[7].replace("1.5", "-1.5")}.get(
        change, weights[7]
    )
    (tmp_path / "log.csv").write_text(text({**columns, name: weights}), encoding="utf-8")
    assert init(tmp_path / "log.csv", tmp_path).exit_code == 0
    features = {one.name: one for one in load_settings(tmp_path / "settings.yaml").spec.features}
    assert features["tags"].weights is None
    assert features[name].kind == "number_sequence"
