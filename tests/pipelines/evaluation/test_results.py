"""Results of an evaluation: AUC of one class, rows without a scenario, and the table."""

import math

import numpy as np
import pytest

from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.records import write_measured
from pipelines.evaluation.results import (
    OutputMetrics,
    read_metrics,
    results_table,
    scenario_note,
    shown_note,
    shown_rows,
)
from pipelines.evaluation.scored_batch import ScoredBatch
from tests.html_check import texts_of
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec("shop", (CategoricalFeature("device"),), (Task("click", "clicked"),), scenario="device")
RNG = np.random.default_rng(5)


def evaluate(folder, labels=None, rows=300):
    """Evaluates rows of three devices: one with both classes, one without clicks and one with clicks only."""
    device = np.array([b"phone", b"tablet", b"watch"], object)[np.arange(rows) % 3]
    clicked = np.where(device == b"phone", RNG.integers(0, 2, rows), device == b"watch") if labels is None else labels
    evaluation = Evaluation(SPEC)
    clicked = np.broadcast_to(clicked, rows).astype(float)
    scores = {"click": RNG.uniform(size=rows)}
    evaluation.add(ScoredBatch({"clicked": clicked}, scores, {}, device, np.arange(rows)))
    write_measured(str(folder), evaluation.measured())
    return {row.slice: row for row in read_metrics(SPEC, str(folder))}


def test_auc_of_one_class_is_undefined_in_a_slice(tmp_path):
    rows = evaluate(tmp_path)
    assert list(rows) == ["", "phone", "tablet", "watch"]
    assert 0.3 < rows["phone"].auc < 0.7
    assert math.isnan(rows["tablet"].auc)
    assert math.isnan(rows["watch"].auc)
    assert [rows[name].rows for name in ("", "phone", "tablet", "watch")] == [300, 100, 100, 100]


@pytest.mark.parametrize("label", [0, 1])
def test_auc_of_one_class_is_undefined_overall(tmp_path, label):
    rows = evaluate(tmp_path, label)
    assert all(math.isnan(row.auc) for row in rows.values())
    table = results_table(SPEC, list(rows.values()), "Test split")
    assert list(table.columns[[column.header for column in table.columns].index("AUC")].cells) == [""] * 4


def test_a_table_of_many_scenarios_has_the_largest_and_the_worst():
    (output,) = SPEC.outputs
    rows = [OutputMetrics(output, "", 0.7, 1.0, rows=1e6)]
    rows += [OutputMetrics(output, f"s{i:04}", 0.6 + i / 1e5, 1.0, rows=float(i)) for i in range(1, 3001)]
    names = [row.slice for row in shown_rows(rows)]
    assert names == ["", *(f"s{i:04}" for i in range(3000, 2980, -1)), *(f"s{i:04}" for i in range(1, 6))]
    assert results_table(SPEC, rows, "Test split").row_count == 26
    assert shown_note(rows, "folder") == (
        "The table has the 20 scenarios with the most rows and the 5 worst of the other ones; folder/metrics.json has "
        "all 3,000."
    )
    assert shown_rows(rows[:20]) == rows[:20]
    assert shown_note(rows[:20], "folder") is None


def test_counts_the_rows_without_a_scenario():
    (output,) = SPEC.outputs

    def note(total, *slices):
        rows = [("", total), *((f"s{i}", count) for i, count in enumerate(slices))]
        return scenario_note(SPEC, [OutputMetrics(output, name, 0.5, 1.0, rows=count) for name, count in rows])

    assert note(2029, 2000, 17) == "12 of 2,029 test rows have no `device` and are in no slice."
    assert note(10, 9) == "1 of 10 test rows has no `device` and is in no slice."
    assert note(10, 4, 6) is None
    assert note(10) == "10 of 10 test rows have no `device` and are in no slice."


def test_metrics_of_a_run_are_a_list_that_a_notebook_shows_as_a_table(tmp_path):
    evaluate(tmp_path)
    metrics = read_metrics(SPEC, str(tmp_path))
    assert isinstance(metrics, list)
    texts = texts_of(metrics._repr_html_())
    assert {"click", "entire", "phone", "tablet", "watch", "300", f"{metrics[0].auc:.4f}"} <= set(texts)
    assert "NMAE" not in texts  # No task is a count.
