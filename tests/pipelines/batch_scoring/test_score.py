"""Command `tfmtl score`: scores of files equal those of a server, whatever the format and the number of files."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipelines.prediction.shop_model import NAMES, OUTPUTS, to_csv, to_example


def score(*words):
    return CliRunner().invoke(main, ["score", *map(str, words)])


def write_csv(path, texts, names=NAMES):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["key", *names], extrasaction="ignore")
        writer.writeheader()
        writer.writerows({"key": f"k{number}", **row} for number, row in enumerate(texts))
    return path


def write_parquet(path, rows):
    lists = pa.list_(pa.string())
    types = {"price": pa.float32(), "paid": pa.float32()}
    types |= dict.fromkeys(("tags", "topics", "history", "users"), lists)
    types |= dict.fromkeys(("tag_weights", "days", "title"), pa.list_(pa.float32()))
    columns = {name: pa.array([row.get(name) for row in rows], types.get(name, pa.string())) for name in NAMES}
    pq.write_table(pa.table({"key": [f"k{number}" for number in range(len(rows))], **columns}), path)
    return path


def write_tfrecord(path, rows):
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            writer.write(to_example(row))
    return path


def assert_scores(table, expected, rows=slice(None)):
    for name in OUTPUTS:
        found = np.array(table[name].to_pylist() if isinstance(table, pa.Table) else table[name], np.float32)
        np.testing.assert_allclose(found, np.asarray(expected[name]).reshape(-1)[rows], rtol=1e-6, err_msg=name)


def read_tfrecord(path):
    examples = [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(str(path), "GZIP")
    ]
    return {name: [one[name].float_list.value[0] for one in examples] for name in OUTPUTS}


def test_csv_to_parquet_keeps_all_columns_and_the_order_of_the_rows(model_folder, rows, expected, tmp_path):
    data = write_csv(tmp_path / "rows.csv", to_csv(rows))
    result = score(model_folder, "--data", data, "--out", tmp_path / "scores.parquet")
    assert result.exit_code == 0, result.output
    assert f"{len(rows)} rows scored by version 2" in result.output  # Version 3 is incomplete.
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table.column_names == ["key", *NAMES, *sorted(OUTPUTS, key=table.column_names.index)]
    assert table["key"].to_pylist() == [f"k{number}" for number in range(len(rows))]
    assert_scores(table, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "scores.parquet"]


@pytest.mark.parametrize(
    ("write", "name"),
    [
        pytest.param(write_parquet, "rows.parquet", marks=pytest.mark.long),
        (write_tfrecord, "rows.tfrecord.gz"),
    ],
)
def test_parquet_and_tfrecord_to_tfrecord(model_folder, rows, expected, tmp_path, write, name):
    result = score(model_folder / "2", "--data", write(tmp_path / name, rows), "--out", tmp_path / "out.tfrecord.gz")
    assert result.exit_code == 0, result.output
    scores = read_tfrecord(tmp_path / "out.tfrecord.gz")
    assert_scores(scores, expected)
    again = score(model_folder, "--data", tmp_path / "out.tfrecord.gz", "--out", tmp_path / "again.parquet")
    assert again.exit_code == 0, again.output
    table = pq.read_table(tmp_path / "again.parquet")
    assert_scores({name: table[f"{name}_predicted"].to_pylist() for name in OUTPUTS}, expected)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_folder_of_files_by_city(model_folder, rows, expected, tmp_path, workers):
    """The name of a folder is a feature, as in a log; each file has its own file of scores."""
    log = tmp_path / "log"
    cities = ["u1", "u2"]
    names = [name for name in NAMES if name != "user"]
    for number, city in enumerate(cities):
        chosen = [{**row, "user": city} for row in rows[number::2]]
        write_csv(log / f"user={city}" / "part.csv", to_csv(chosen), names)
    result = score(model_folder, "--data", f"{log}/*/*.csv", "--out", tmp_path / "out", "--workers", workers)
    assert result.exit_code == 0, result.output
    alone = score(model_folder, "--data", log / "user=u1" / "part.csv", "--out", tmp_path / "alone.csv")
    assert alone.exit_code == 0, alone.output
    assert (tmp_path / "alone.csv").read_bytes() == (tmp_path / "out" / "user=u1" / "part.csv").read_bytes()
    whole = write_csv(tmp_path / "whole.csv", to_csv([{**row, "user": cities[i % 2]} for i, row in enumerate(rows)]))
    assert score(model_folder, "--data", whole, "--out", tmp_path / "whole.parquet").exit_code == 0
    at_once = pq.read_table(tmp_path / "whole.parquet")
    for number, city in enumerate(cities):
        with (tmp_path / "out" / f"user={city}" / "part.csv").open(encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        assert {one["user"] for one in found} == {city}
        assert_scores(
            {name: [float(one[name]) for one in found] for name in OUTPUTS},
            {name: at_once[name].to_numpy() for name in OUTPUTS},
            slice(number, None, 2),
        )


def test_invalid_rows_have_no_scores_and_are_listed(model_folder, rows, expected, tmp_path):
    texts = to_csv(rows)
    texts[3]["price"] = "12,5"
    texts[600]["tag_weights"], texts[600]["tags"] = "1;2;3", "a"
    data = write_csv(tmp_path / "rows.csv", texts)
    result = score(model_folder, "--data", data, "--out", tmp_path / "scores.csv")
    assert result.exit_code == 0, result.output
    assert f"2 of {len(rows)} rows have no scores" in result.output
    kept = [number for number in range(len(rows)) if number not in (3, 600)]
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [one["key"] for one in found] == [f"k{number}" for number in kept]
    assert_scores({name: [float(one[name]) for one in found] for name in OUTPUTS}, expected, kept)
    rejects = [json.loads(line) for line in (tmp_path / "scores.csv.rejects.jsonl").read_text().splitlines()]
    assert [(one["line"], one["reason"]) for one in rejects] == [(5, "not_a_number"), (602, "invalid_weights")]
    write_csv(data, to_csv(rows))
    assert score(model_folder, "--data", data, "--out", tmp_path / "scores.csv").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "scores.csv"]


def test_a_column_that_is_absent_is_missing_in_every_row(model_folder, rows, tmp_path):
    data = write_csv(tmp_path / "rows.csv", to_csv(rows), [name for name in NAMES if name != "price"])
    result = score(model_folder, "--data", data, "--out", tmp_path / "scores.parquet")
    assert result.exit_code == 0, result.output
    assert "has no column price" in result.output
    empty = write_csv(tmp_path / "empty.csv", to_csv([{k: v for k, v in row.items() if k != "price"} for row in rows]))
    assert score(model_folder, "--data", empty, "--out", tmp_path / "empty.parquet").exit_code == 0
    found, same = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("scores", "empty"))
    assert_scores(found, {name: same[name].to_numpy() for name in OUTPUTS})


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("rows.csv", "--out should be another file or folder than that of --data"),
        ("", "--out should be another file or folder than that of --data"),
        ("note.txt", "--out should end in .csv, .csv.gz, .parquet, .tfrecord, .tfrecord.gz, or be a folder"),
        ("scores.pq", "--out should end in .csv, .csv.gz, .parquet, .tfrecord, .tfrecord.gz, or be a folder"),
        ("mine", "--out should be a new or an empty folder"),
        ("scores.csv --format csv", "--format should be given with a folder only"),
    ],
)
def test_a_wrong_target_is_refused(model_folder, rows, tmp_path, out, message):
    data = write_csv(tmp_path / "rows.csv", to_csv(rows[:3]))
    (tmp_path / "mine").mkdir()
    for path in (tmp_path / "note.txt", tmp_path / "mine" / "note.txt"):
        path.write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    path, *options = out.split(" ")
    result = score(model_folder, "--data", data, "--out", tmp_path / path, *options)
    assert result.exit_code == 2
    assert message in result.output
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["no model", "no feature", "no valid row", "no file", "two files", "same names"])
def test_mistakes_end_in_lines_and_write_nothing(model_folder, rows, tmp_path, kind):
    model, data, out = model_folder, tmp_path / "log" / "rows.csv", tmp_path / "scores.parquet"
    write_csv(data, to_csv(rows[:3]))
    if kind == "no model":
        model, message = tmp_path, "should be the folder of a SavedModel"
    elif kind == "no feature":
        data.write_text("a,b\n1,2\n", encoding="utf-8")
        message = "should have the columns"
    elif kind == "no valid row":
        write_csv(data, [{**row, "price": "x"} for row in to_csv(rows[:3])])
        message = "should have a valid row. Received: 3 rows with not_a_number\n"
    elif kind == "no file":
        data, message = tmp_path / "log" / "other-*.csv", "should be a file, a folder of files"
    elif kind == "two files":
        write_csv(tmp_path / "log" / "more.csv", to_csv(rows[:3]))
        data, message = tmp_path / "log", "--out should be a folder, because --data stands for 2 files"
    else:
        write_csv(tmp_path / "log" / "rows.tsv", to_csv(rows[:3]))
        data, out, message = tmp_path / "log", tmp_path / "out", "should have different names"
    before = sorted(tmp_path.rglob("*"))
    result = score(model, "--data", data, "--out", out)
    assert len(result.output.splitlines()) <= 3
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_without_rows(model_folder, tmp_path):
    data = write_csv(tmp_path / "rows.csv", [])
    result = score(model_folder, "--data", data, "--out", tmp_path / "scores.csv")
    assert result.exit_code == 0, result.output
    assert "0 rows scored" in result.output
    assert (tmp_path / "scores.csv").read_text().count("\n") == 1
