"""Runs of logs with anomalies: refused with a table and exit code 4, accepted, or compared with a schema."""

import random

import pytest
from click.testing import CliRunner

from pipelines.cli import main

pytestmark = pytest.mark.slow
SETTINGS = """\
name: shop
spec:
  name: shop
  features:
    - {name: scenario, kind: categorical}
    - {name: city, kind: categorical}
    - {name: price, kind: numerical}
  tasks:
    - {name: click, label: clicked, output: ctr}
  scenario: scenario
  split: {kind: random, eval: 0.2, test: 0.2}
model: {name: shared_bottom, preset: null, options: {embedding_dim: 4, bottom_units: [8], tower_units: [4]}}
training: {batch_size: 256, max_epochs: 1}
thresholds:
  ctr: {min_auc: 0.0, calibration: [0.01, 100.0], max_auc_drop: 1.0}
reference: false
"""


def write_day(folder, name, seed, **changed):
    """Writes a log of 1,200 rows; `changed` are functions of the value of a column."""
    source = random.Random(seed)
    lines = ["scenario,city,price,clicked"]
    for _ in range(1200):
        row = {
            "scenario": source.choice(["search", "feed"]),
            "city": f"c{source.randrange(20)}",
            "price": round(source.lognormvariate(3, 1), 2),
            "clicked": int(source.random() < 0.3),
        }
        row |= {column: change(row[column]) for column, change in changed.items()}
        lines.append(",".join(map(str, row.values())))
    (folder / name).write_text("\n".join(lines) + "\n")


def write_renamed(folder, name):
    write_day(folder, name, 2, scenario="new_{}".format, city="city {}".format, price=lambda price: 1000 * price)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SETTINGS)
    write_day(tmp_path, "monday.csv", 0)
    write_day(tmp_path, "tuesday.csv", 1)
    write_renamed(tmp_path, "renamed.csv")
    return tmp_path


def call(command):
    done = CliRunner().invoke(main, command.split())
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.output


def versions(folder):
    return sorted(path.name for path in (folder / "runs/shop/serving/shop").iterdir())


def test_a_log_that_differs_from_the_schema_is_refused_in_the_first_run(folder):
    code, output = call("schema shop.yaml --data monday.csv")
    assert code == 0, output
    assert 'value: "search"' in (folder / "shop.schema.pbtxt").read_text()
    code, output = call("schema shop.yaml --data renamed.csv")
    assert code == 2, output
    assert "shop.schema.pbtxt exists" in output
    code, output = call("run shop.yaml --data renamed.csv --out other")
    assert code == 4, output
    assert "3 checks failed, on scenario, city, price." in output
    assert "new_feed" in output
    assert "Trainer" not in output
    assert not (folder / "other/serving").exists()


@pytest.mark.long
def test_a_refused_day_is_named_by_its_columns_and_changes_nothing(folder):
    code, output = call("run shop.yaml --data monday.csv")
    assert code == 0, output
    served = versions(folder)
    for _ in range(2):  # A refused day does not become the reference of its own next run.
        code, output = call("run shop.yaml --data renamed.csv")
        assert code == 4, output
        assert "3 checks failed, on scenario, city, price." in output
        assert "max_unknown" in output
        assert "new_feed" in output
        assert "Trainer" not in output
        assert versions(folder) == served
    write_day(folder, "rejected.csv", 3, clicked=lambda clicked: "" if random.random() < 0.6 else clicked)
    code, output = call("run shop.yaml --data rejected.csv")
    assert code == 4, output
    assert "max_rejected" in output
    assert "missing_label" in output


@pytest.mark.long
def test_an_accepted_day_is_the_new_normal(folder):
    assert call("run shop.yaml --data monday.csv")[0] == 0
    code, output = call("run shop.yaml --data tuesday.csv")
    assert code == 0, output
    assert "Anomalies" not in output
    code, output = call("run shop.yaml --data renamed.csv --accept")
    assert code == 0, output
    assert "Accepted as the new normal" in output
    assert len(versions(folder)) == 3
    code, output = call("run shop.yaml --data renamed.csv")
    assert code == 0, output
    assert len(versions(folder)) == 3, "the model of the accepted day is pushed once"
    code, output = call("run shop.yaml --data monday.csv")
    assert code == 4, output
    assert "on scenario, city, price." in output


@pytest.mark.long
def test_accepting_updates_the_schema(folder):
    code, output = call("schema shop.yaml --data monday.csv")
    assert code == 0, output
    path = folder / "shop.schema.pbtxt"
    before = path.read_text()
    assert 'value: "search"' in before
    code, output = call("run shop.yaml --data renamed.csv --out other --accept")
    assert code == 0, output
    assert "updated city, price, scenario in shop.schema.pbtxt" in output
    after = path.read_text()
    assert 'value: "search"' not in after
    assert 'value: "new_search"' in after
    labels = [text.split('name: "clicked"')[1].split("feature {")[0] for text in (before, after)]
    assert labels[0] == labels[1]
    code, output = call("run shop.yaml --data renamed.csv --out other")
    assert code == 0, output
    path.write_text("feature {")
    code, output = call("run shop.yaml --data renamed.csv --out other")
    assert code == 2, output
    assert "shop.schema.pbtxt: should be a TFDV schema as text." in output
