"""Mistakes that `tfmtl run` finds after reading the log, and a run with one class, other files and no scenario."""

import gzip
import os
import pathlib
import random
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipelines.mistake_cases import HEADER, SETTINGS

pytestmark = pytest.mark.slow


def make_rows(count, seed=0, **columns):
    """Returns lines of a log; `columns` are values, or functions of the row's number, in place of random ones."""
    source = random.Random(seed)

    def row(i):
        clicked = source.randint(0, 1)
        values = {
            "user": f"u{source.randrange(30)}",
            "device": source.choice(["phone", "tablet"]),
            "price": f"{source.random() * 50:.2f}",
            "tags": "a|b",
            "tag_weights": "1|2",
            "clicked": clicked,
            "bought": clicked * source.randint(0, 1),
        }
        values |= {name: value(i) if callable(value) else value for name, value in columns.items()}
        return ",".join(map(str, values.values()))

    return [row(i) for i in range(count)]


def write_log(folder, rows, name="log.csv"):
    text = "\n".join([HEADER, *rows]) + "\n"
    (folder / name).write_bytes(text.encode() if name.endswith(".csv") else gzip.compress(text.encode())[:-30])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SETTINGS)
    return tmp_path


def run(*options, data="log.csv"):
    done = CliRunner().invoke(main, ["run", "shop.yaml", "--data", data, "--out", "out", *options])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.output


CASES = {
    "no row": ([], ["log.csv: should have rows. Received: no row below the header."]),
    "all rejected": (
        make_rows(5, clicked=7),
        [
            "  5  100.00%  a label is not 0 or 1",
            "Received: 5 rows, all of them rejected, 5 as invalid_label (a label is not 0 or 1",
            "Lines and values: ",
            "/out/pipeline/LogExampleGen/examples/",
        ],
    ),
    "empty split": (make_rows(1), ["split should have rows. Received: ", "Use more rows"]),
    "no positive": (
        make_rows(300, clicked=0, bought=0),
        ["Error: No row of the train split has clicked = 1, so that ctr cannot reach its thresholds."],
    ),
    "no negative": (
        make_rows(300, clicked=1),
        ["Error: No row of the train split has clicked = 0, so that ctr cannot reach its thresholds."],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rows_that_do_not_suffice(folder, name):
    rows, messages = CASES[name]
    write_log(folder, rows)
    code, output = run()
    assert code == 2, output
    positions = [output.index(message) for message in messages]
    assert positions == sorted(positions), "the report of the rows comes first"
    assert "StatisticsGen" not in output
    assert len(output[output.index("Error: ") :].splitlines()) <= 3


def test_a_file_that_breaks_off_behind_its_first_block(folder):
    write_log(folder, make_rows(300_000, user=lambda i: f"user-{i * 7919 % 1000003:012d}"), "log.csv.gz")
    code, output = run(data="log.csv.gz")
    assert code == 2, output
    assert "should be a complete file, but reading fails at line" in output
    assert len(output[output.index("Error: ") :].splitlines()) == 1


def test_ctrl_c_during_a_component(folder):
    write_log(folder, make_rows(300))
    program = [sys.executable, "-c", "from pipelines.cli import program; program()"]
    root = str(pathlib.Path(__file__).parents[2])
    words = ["run", "shop.yaml", "--data", "log.csv", "--out", "out"]
    with subprocess.Popen(
        [*program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1"},
    ) as process:
        while "LogExampleGen" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted. The next run continues after the last finished step."
    assert "Traceback" not in errors


@pytest.mark.long
def test_one_class_other_files_rows_without_a_scenario_and_a_warm_start_that_does_not_fit(folder):
    (folder / "log").mkdir()
    write_log(folder / "log", make_rows(1500, bought=0, device=lambda i: "" if i % 10 == 0 else "phone"))
    (folder / "log" / "README.txt").write_text("Notes")
    (folder / "log" / "part.csv").touch()
    settings = SETTINGS.replace("min_auc: 0.3", "min_auc: 0.0, calibration: [0.01, 100.0], min_rows: 100")
    (folder / "shop.yaml").write_text(settings)
    code, output = run(data="log")
    assert code == 0, output
    assert "not read, not the name of a data file: README.txt" in output
    assert "not read, 0 bytes: part.csv" in output
    assert "No row of the test split has bought = 1: there is no test AUC of cvr and ctcvr." in output
    assert "test rows have no `device` and are in no slice." in output
    assert "logistic regression" in output
    lines = [line.split("│") for line in output.splitlines() if line.startswith("│")]
    auc = {(cells[2].strip(), cells[4].strip()): cells[5].strip() for cells in lines if len(cells) > 5}
    assert 0 < float(auc["ctr", "all"]) < 1
    assert {auc[output, place] for output in ("cvr", "ctcvr") for place in ("all", "phone")} == {""}

    (model_run,) = (folder / "out" / "pipeline" / "Trainer" / "model_run").iterdir()
    changed = settings.replace("name: price, kind: numerical", "name: price, kind: categorical")
    (folder / "shop.yaml").write_text(changed.replace("epochs: 2", f"epochs: 2, warm_start: {model_run}"))
    code, output = run("--no-reference", data="log")
    assert code == 4, output
    assert "If the spec has changed the column's kind, run again with --accept." in output
    code, output = run("--no-reference", "--accept", data="log")
    assert code == 2, output
    assert f"Error: training.warm_start: {model_run}/model.keras does not fit the settings." in output
    assert "Start from a model of the same spec and options, or remove training.warm_start." in output
