"""Simulated values: log-normal around their true means, after the event, rounded, and read back by validation."""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.batches.parsing import parse_amounts
from transforms.ingest.ingest_files import ingest
from transforms.simulation.feature_options import EntityOptions, FeatureOptions
from transforms.simulation.options import SimulatorOptions, TaskOptions
from transforms.simulation.simulator import simulate

REVENUE = Task("revenue", "paid", "value", "buy", output="expected_value", conditional_output="conditional_value")
SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("item"), CategoricalFeature("group")),
    (Task("click", "clicked"), Task("buy", "bought", follows="click"), REVENUE, Task("dwell", "seconds", "value")),
)
OPTIONS = SimulatorOptions(
    rows=40_000,
    entities={"item": EntityOptions("item", count=50, zipf=0.3)},
    features={"group": FeatureOptions(entity="item", cardinality=6)},
    tasks={
        "click": TaskOptions(rate=0.4),
        "buy": TaskOptions(rate=0.5),
        "revenue": TaskOptions(rate=900.0, strength=0.8, noise=0.6),
        "dwell": TaskOptions(rate=2.5, noise=0.0),
    },
    seed=3,
)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    files = simulate(SPEC, OPTIONS, tmp_path_factory.mktemp("values"))
    return files, pd.read_csv(files.log), pd.read_csv(files.truth)


def test_values_follow_the_event_and_their_mean(log):
    files, rows, truth = log
    bought = rows["bought"] == 1
    assert (rows["paid"][~bought] == 0).all()
    assert (rows["paid"][bought] > 0).all()
    assert rows["paid"].sum() == pytest.approx(truth["expected_value"].sum(), rel=0.02)
    assert files.totals["paid"] == pytest.approx(rows["paid"].sum())
    assert truth["conditional_value"][bought].mean() == pytest.approx(900, rel=0.03)
    ratio = np.log(rows["paid"] / truth["conditional_value"])[bought]
    assert (ratio.mean(), ratio.std()) == pytest.approx((-(0.6**2) / 2, 0.6), abs=0.02)
    assert np.log(truth["conditional_value"]).std() == pytest.approx(0.8, abs=0.05)
    product = truth["buy"] * truth["conditional_value"]
    np.testing.assert_allclose(truth["expected_value"], product, rtol=1e-3, atol=1e-4 * 900)
    np.testing.assert_allclose(rows["seconds"], truth["dwell"], atol=0.006)


def test_mistakes_of_options():
    wrong = dataclasses.replace(OPTIONS, tasks={**OPTIONS.tasks, "buy": TaskOptions(rate=0.5, noise=0.2)})
    with pytest.raises(FieldError, match="noise"):
        simulate(SPEC, wrong, "unused")
    with pytest.raises(FieldError, match="0 or more"):
        TaskOptions(rate=1.0, noise=-1.0)


TEXT = """item,group,clicked,bought,paid,seconds
a,x,1,1,12.5,3
a,x,1,1, 7e1 ,0.25
a,x,1,0,,1
a,x,0,,nan,1
a,x,1,1,,1
a,x,1,1,-1,1
a,x,1,1,much,1
a,x,1,0,3.5,1
a,x,1,1,0,1e39
"""


def test_rows_are_checked_and_labels_are_floats(tmp_path):
    (tmp_path / "log.csv").write_text(TEXT)
    batches = list(ingest([str(tmp_path / "log.csv")], SPEC))
    found = [row for one in batches for batch in one.typed.values() for row in batch.to_pylist()]
    values = sorted((row["bought"][0], row["paid"][0], row["seconds"][0]) for row in found)
    assert values == [(0, 0.0, 1.0), (0, 0.0, 1.0), (1, 12.5, 3.0), (1, 70.0, 0.25)]
    assert all(
        batch.schema.field("paid").type == pa.list_(pa.float32()) for one in batches for batch in one.typed.values()
    )
    reasons = [(reject.line, reject.reason) for one in batches for reject in one.rejects]
    assert sorted(reasons) == [
        (6, "missing_label"),
        (7, "invalid_label"),
        (8, "invalid_label"),
        (9, "broken_chain"),
        (10, "invalid_label"),
    ]


def test_amounts_of_other_types():
    amounts, invalid = parse_amounts(pa.array([1, None, 3], pa.int32()))
    assert (amounts.tolist(), invalid.tolist(), amounts.dtype) == ([1, 0, 3], [False, True, False], np.float32)
    assert parse_amounts(pa.array([0.5, float("inf"), -0.0]))[1].tolist() == [False, True, False]
