"""Output of rows and scores."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from pipelines.prediction.output import name_scores, scores_table, write_csv

SCORES = {"ctr": np.float32([0.25, 0.125]), "cvr": np.float32([0.1, 1e-7])}


def test_scores_keep_their_names_unless_a_column_has_them():
    assert list(name_scores(SCORES, ["user"])) == ["ctr", "cvr"]
    named = name_scores(SCORES, ["user", "ctr", "ctr_predicted"])
    assert list(named) == ["ctr_predicted_predicted", "cvr"]
    assert named["cvr"] is SCORES["cvr"]
    both = {"ctr": SCORES["ctr"], "ctr_predicted": SCORES["cvr"]}
    assert list(name_scores(both, ["ctr"])) == ["ctr_predicted_predicted", "ctr_predicted"]


def test_csv_has_every_column_and_the_scores_behind_them(tmp_path):
    rows = pa.table({"user": ['a "b", c', None], "tags": [["x", "y"], []], "n": [1, 2]})
    write_csv(str(tmp_path / "scores.csv"), rows, SCORES)
    with (tmp_path / "scores.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert read == [
        {"user": 'a "b", c', "tags": '["x", "y"]', "n": "1", "ctr": "0.25", "cvr": "0.1"},
        {"user": "", "tags": "[]", "n": "2", "ctr": "0.125", "cvr": "1e-07"},
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def shown(rows, width):
    table, hidden = scores_table(rows, SCORES, "2 rows", width)
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue(), hidden


@pytest.mark.parametrize("width", [30, 50, 80, 110])
def test_table_shows_whole_columns_and_names_the_others(width):
    rows = pa.table({f"column{i}": ["[red]value", f"v{i}"] for i in range(12)})
    text, hidden = shown(rows, width)
    visible = [name for name in rows.column_names if name not in hidden]
    assert [name for name in rows.column_names if f" {name} " in text] == visible
    assert hidden == rows.column_names[len(visible) :]
    assert len(visible) == (width - 1 - 2 * 9) // 13
    assert text.count("[red]value") == len(visible)
    assert "0.2500" in text
    assert "0.0000" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_long_values_end_in_an_ellipsis():
    text, hidden = shown(pa.table({"days": [list(range(30)), [1.5]], "note": ["two\nlines", None]}), 80)
    assert hidden == []
    assert "0.0, 1.0, 2.0, 3.0, 4.0…" in text
    assert "two lines" in text
