"""Results of an evaluation: AUC of one class, rows without a scenario, and the table."""

import math

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma

from pipelines.evaluation.eval_config import MEAN_LABEL, ROWS, eval_config
from pipelines.evaluation.results import OutputMetrics, read_metrics, results_table, scenario_note
from tfmtl.features import CategoricalFeature
from tfmtl.metrics import roc_auc
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec("shop", (CategoricalFeature("device"),), (Task("click", "clicked"),), scenario="device")
RNG = np.random.default_rng(5)


def make_log(rows=300):
    """Returns rows of three devices: one with both classes, one without clicks and one with clicks only."""
    device = np.array(["phone", "tablet", "watch"])[np.arange(rows) % 3]
    clicked = np.where(device == "phone", RNG.integers(0, 2, rows), device == "watch")
    return pd.DataFrame({"device": device, "clicked": clicked, "prediction": RNG.uniform(size=rows)})


def evaluate(log, folder, drop=()):
    """Evaluates a log with TFMA, without some of the metrics, and reads the results."""
    config = eval_config(SPEC, {})
    config.model_specs[0].CopyFrom(tfma.ModelSpec(label_key="clicked", prediction_key="prediction"))
    metrics = config.metrics_specs[0].metrics
    kept = [one for one in metrics if not any(name in one.config for name in drop)]
    del metrics[:]
    metrics.extend(kept)
    tfma.analyze_raw_data(log.astype({"clicked": "float32"}), config, output_path=str(folder))
    return {row.slice: row for row in read_metrics(SPEC, str(folder))}


def test_auc_of_one_class_is_undefined_in_a_slice(tmp_path):
    log = make_log()
    rows = evaluate(log, tmp_path)
    phone = log[log["device"] == "phone"]
    assert rows["phone"].auc == pytest.approx(roc_auc(phone["clicked"], phone["prediction"]), abs=1e-3)
    assert rows[""].auc == pytest.approx(roc_auc(log["clicked"], log["prediction"]), abs=1e-3)
    assert math.isnan(rows["tablet"].auc)
    assert math.isnan(rows["watch"].auc)
    assert [rows[name].rows for name in ("", "phone", "tablet", "watch")] == [300, 100, 100, 100]


@pytest.mark.parametrize("label", [0, 1])
def test_auc_of_one_class_is_undefined_overall(tmp_path, label):
    rows = evaluate(make_log().assign(clicked=label), tmp_path)
    assert all(math.isnan(row.auc) for row in rows.values())
    table = results_table(SPEC, list(rows.values()), "Test split")
    assert list(table.columns[[column.header for column in table.columns].index("AUC")].cells) == [""] * 4


def test_evaluations_of_earlier_versions_are_read(tmp_path):
    rows = evaluate(make_log(), tmp_path, drop=(MEAN_LABEL, ROWS))
    assert 0 < rows["phone"].auc < 1
    assert math.isnan(rows[""].rows)
    assert scenario_note(SPEC, list(rows.values())) is None


def test_counts_the_rows_without_a_scenario():
    (output,) = SPEC.outputs

    def note(total, *slices):
        rows = [("", total), *((f"s{i}", count) for i, count in enumerate(slices))]
        return scenario_note(SPEC, [OutputMetrics(output, name, 0.5, 1.0, rows=count) for name, count in rows])

    assert note(2029, 2000, 17) == "12 of 2,029 test rows have no `device` and are in no slice."
    assert note(10, 9) == "1 of 10 test rows has no `device` and is in no slice."
    assert note(10, 4, 6) is None
    assert note(10) == "10 of 10 test rows have no `device` and are in no slice."
