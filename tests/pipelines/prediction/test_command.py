"""Command `tfmtl predict` on a model whose scores are known, and the modules that it and `tfmtl serve` import."""

import csv
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipelines.prediction.conftest import SPEC

HEADER = "user,price,tags,tag_weights,history,days,clicked,bought,note"
ROWS = ["u1,12.5,a;b,0.5;2,aa b  dd,1|2|3,1,0,first", "u2,,,,x,,0,0,second"]
SCORES = [{"ctr": 12.5, "cvr": 2.5, "ctcvr": 2205.0}, {"ctr": -1.0, "cvr": 0.0, "ctcvr": 1100.0}]


def predict(path, address, *options, model="shop"):
    words = ["predict", str(path), "--model", model, "--host", address, *options]
    return CliRunner().invoke(main, words)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_scores_are_those_of_rows_split_at_the_separators_of_the_spec(rows, address, tmp_path):
    done = predict(rows, address, "--out", str(tmp_path / "scores.csv"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("2 rows scored -> ")
    scored = read(tmp_path / "scores.csv")
    assert list(scored[0]) == [*HEADER.split(","), "ctr", "cvr", "ctcvr"]
    assert [{name: float(row[name]) for name in SCORES[0]} for row in scored] == SCORES
    assert [{name: row[name] for name in HEADER.split(",")} for row in scored] == read(rows)


def test_table_names_the_columns_that_it_does_not_show(rows, address):
    done = predict(rows, address, "--limit", "1")
    assert done.exit_code == 0
    assert "1 rows scored by 'shop'" in done.stdout
    assert "12.5000" in done.stdout
    assert "second" not in done.stdout
    assert "1 of 9 columns are not shown: note. --out FILE writes all columns." in done.stdout


def test_column_with_the_name_of_an_output_is_kept(address, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("user,price,ctr\nu1,2.5,mine\n")
    done = predict(path, address, "--out", str(tmp_path / "scores.csv"))
    assert done.exit_code == 0
    assert f"{path} has a column ctr: the prediction ctr is in the column ctr_predicted." in done.stderr
    (scored,) = read(tmp_path / "scores.csv")
    assert (scored["ctr"], scored["ctr_predicted"]) == ("mine", "2.5")


def test_absent_features_are_named(address, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("user,price\nu1,2.5\n")
    done = predict(path, address)
    assert done.exit_code == 0
    expected = f"Warning: {path} has no column tags, tag_weights, history, days: the value is missing in every row.\n"
    assert done.stderr == expected


@pytest.mark.parametrize(
    "text",
    ["", "user,price\n", "user,price\nu1,much\n", "user,price\nu1,2,\n", "a,b\n1,2\n", "User,price\nu1,1\n"],
)
def test_invalid_files_end_with_exit_code_2_and_up_to_three_lines(text, address, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    done = predict(path, address, "--out", str(tmp_path / "scores.csv"))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}:")
    assert len(done.stderr.splitlines()) <= 3
    assert not (tmp_path / "scores.csv").exists()


def test_model_without_a_spec(rows, address, tmp_path):
    rows.write_text("user,tags,tag_weights\nu1,a|b,1|2\n")
    done = predict(rows, address, "--out", str(tmp_path / "scores.csv"), model="old")
    assert done.exit_code == 0
    assert "was exported without its spec, so that lists (days, history, tag_weights, tags) are split" in done.stderr
    assert float(read(tmp_path / "scores.csv")[0]["cvr"]) == 3.0


def test_settings_give_the_spec_and_the_format(rows, address, tmp_path):
    settings = tmp_path / "shop.yaml"
    spec = "\n".join(f"  {line}" for line in SPEC.to_yaml().splitlines())
    data = 'data: {delimiter: "\\t", "null": ["?"], columns: {user: user_id}}'
    settings.write_text(f"name: shop\nspec:\n{spec}\nmodel: {{name: mmoe}}\n{data}\n")
    rows.write_text("user_id\ttags\ttag_weights\tprice\nu1\ta;b\t1;2\t?\n")
    out = tmp_path / "scores.csv"
    done = predict(rows, address, "--out", str(out), "--settings", str(settings), model="old")
    assert done.exit_code == 0
    assert "without its spec" not in done.stderr
    (scored,) = read(out)
    assert (scored["user_id"], float(scored["cvr"]), float(scored["ctr"])) == ("u1", 3.0, -1.0)


def test_rows_are_not_overwritten(rows, address):
    before = rows.read_text()
    done = predict(rows, address, "--out", str(rows))
    assert done.exit_code == 2
    assert "--out should be another file than ROWS" in done.stderr
    assert rows.read_text() == before


def test_failed_request_ends_with_exit_code_1(rows, address):
    done = predict(rows, address, model="nobody")
    assert done.exit_code == 1
    assert "Servable not found for request: Latest(nobody)" in done.stderr


HEAVY = {"tensorflow", "tensorflow_serving", "keras", "pandas"}
PIPELINE = {"tfx", "apache_beam", "tensorflow_model_analysis", "tensorflow_transform"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_predict_imports_neither_tensorflow_nor_pandas(rows, address, kind, tmp_path):
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = tmp_path / "rows.parquet"
        pq.write_table(pa.table({"user": ["u1"], "price": [1.5]}), rows)
    program = f"""
import sys
from pipelines.cli import main
main(["predict", {str(rows)!r}, "--model", "shop", "--host", {address!r}], standalone_mode=False)
print({{name.partition(".")[0] for name in sys.modules}} & {HEAVY | PIPELINE | {"pyarrow", "serving"}!r})
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rows scored by 'shop'" in done.stdout
    assert eval(done.stdout.splitlines()[-1]) == {"pyarrow", "serving"}


def test_serve_imports_nothing_of_the_pipeline(served):
    program = f"""
import sys
from pipelines.cli import main
main(["serve", {str(served / "shop")!r}, "--port", "0"], standalone_mode=False)
print({{name.partition(".")[0] for name in sys.modules}} & {PIPELINE | {"tensorflow", "serving"}!r})
"""
    command = [sys.executable, "-W", "ignore", "-u", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert "serving shop on 127.0.0.1" in server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        lines = server.stdout.read().splitlines()
    assert server.returncode == 0
    assert eval(lines[-1]) == {"tensorflow", "serving"}
