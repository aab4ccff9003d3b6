"""Models and logs that must not be pushed: exit code and sentence of each run, and that the served versions stay."""

import dataclasses
import random
from collections.abc import Callable

import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.long]
SETTINGS = """\
name: shop
spec:
  name: shop
  features:
    - {name: page, kind: categorical}
    - {name: city, kind: categorical}
    - {name: price, kind: numerical}
  tasks:
    - {name: click, label: clicked, output: ctr}
  scenario: page
  split: {kind: time, column: minute, eval_from: "3600", test_from: "4200"}
model: {name: shared_bottom, preset: null, options: {embedding_dim: 4, bottom_units: [8], tower_units: [4]}}
training: {batch_size: 64, max_epochs: 3}
reference: false
"""
ROWS = 6000


def make_row(source: random.Random, minute: int) -> dict[str, object]:
    """Returns a row whose click depends on the city."""
    city = source.randrange(20)
    return {
        "minute": minute,
        "page": source.choice(["search", "feed"]),
        "city": f"c{city}",
        "price": round(source.lognormvariate(3, 1), 2),
        "clicked": int(source.random() < 0.1 + 0.03 * city),
    }


def inverted(row):
    """Cities that are clicked often until the test split are clicked rarely in it, on one page."""
    if row["page"] == "feed" and row["minute"] >= 4200:
        row["clicked"] = 1 - row["clicked"]
    return row


def changed(**values):
    """Returns a function that sets columns."""
    return lambda row: {**row, **{name: value(row) for name, value in values.items()}}


def write_log(path, seed, change: Callable[[dict], dict] = lambda row: row, rows: int = ROWS):
    source = random.Random(seed)
    made = [change(make_row(source, minute * ROWS // rows)) for minute in range(rows)]
    lines = [",".join(made[0]), *(",".join(map(str, row.values())) for row in made)]
    path.write_text("\n".join(lines) + "\n")


@dataclasses.dataclass(frozen=True)
class Case:
    """A bad run.

    Attributes:
        words: Texts of the output.
        code: Exit code.
        change: Change of each row of the log.
        rows: Number of rows.
        training: Settings of the training.
        after: Whether a good log was run in the same folder before.
    """

    words: tuple[str, ...]
    code: int = 3
    change: Callable[[dict], dict] = lambda row: row
    rows: int = ROWS
    training: dict = dataclasses.field(default_factory=dict)
    after: bool = False


CASES = {
    "constant": Case(
        ("not pushed: all scores of ctr are 0.",),
        change=changed(city=lambda _: "c", price=lambda _: 1, page=lambda _: "feed"),
    ),
    "few_rows": Case(("not pushed", "rows"), rows=200),
    "inverted_scenario": Case(("not pushed", "feed"), change=inverted),
    "saturated": Case(("not pushed: all scores of ctr are 0;",), training={"learning_rate": 1e6}),
    "nan": Case(("learning_rate",), training={"learning_rate": 1e30}),
    "renamed": Case(
        ("on page, city, price",),
        code=4,
        change=changed(
            page=lambda row: "new_" + row["page"],
            city=lambda row: "city " + row["city"],
            price=lambda r: 1e3 * r["price"],
        ),
        after=True,
    ),
    "rejected": Case(
        ("max_rejected", "missing_label"),
        code=4,
        change=changed(clicked=lambda row: "" if row["minute"] % 5 < 3 else row["clicked"]),
        after=True,
    ),
    "positives": Case(("click",), code=4, change=changed(clicked=lambda row: int(row["minute"] % 10 < 9)), after=True),
    "empty_columns": Case(("city", "price"), code=4, change=changed(city=lambda _: "", price=lambda _: ""), after=True),
}


def call(command):
    done = CliRunner().invoke(main, command.split())
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Folder of a run whose model was pushed."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "shop.yaml").write_text(SETTINGS)
    write_log(folder / "good.csv", 0)
    code, output = call(f"run {folder}/shop.yaml --data {folder}/good.csv --out {folder}/run")
    assert code == 0, output
    return folder


def versions(folder):
    serving = folder / "serving/shop"
    return sorted(path.name for path in serving.iterdir() if path.name.isdigit()) if serving.exists() else []


@pytest.mark.parametrize("name", CASES)
def test_a_bad_run_pushes_nothing_and_says_why(good, tmp_path, name):
    case = CASES[name]
    plain = yaml.safe_load(SETTINGS)
    plain["training"] |= case.training
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    write_log(tmp_path / "bad.csv", 1, case.change, case.rows)
    out = good / "run" if case.after else tmp_path / "run"
    before = versions(out)
    code, output = call(f"run {tmp_path}/shop.yaml --data {tmp_path}/bad.csv --out {out}")
    assert code == case.code, output
    for words in case.words:
        assert words in output
    assert versions(out) == before
