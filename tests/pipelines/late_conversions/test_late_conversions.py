"""Fourteen simulated days with late conversions, trained on day by day: calibration and AUC by treatment.

The test rows are those whose window has ended when the log does. Their 9,300 conversions give a standard error of 1 %
for a calibration. The days are joined by `join_partition` with the end of each day as the end of the logs, as
`tfmtl join` does once a day.
"""

import functools

import numpy as np
import pytest

from tests.pipelines.late_conversions.daily_training import DAYS, feature_ids, simulate, split_of, train
from tfmtl.metrics import roc_auc

pytestmark = pytest.mark.long
ROWS = 700_000


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warehouse")
    warehouse = simulate(folder, ROWS)
    return warehouse, *feature_ids(folder, ROWS)


@pytest.fixture(scope="module")
def trained(log):
    """Function that trains a model once."""
    joined = {}
    return functools.cache(lambda maturity, spans: train(maturity, *log, spans, joined))


def measure(model, log):
    """Calibration and AUC of the conversion on the matured rows of the test split."""
    warehouse, ids, _ = log
    rows = warehouse.rows(range(DAYS), DAYS - 1)
    kept = (rows.column("conversion_copy").to_numpy() == 0) & (rows.column("conversion_pending").to_numpy() == 0)
    numbers, labels = rows.column("number").to_numpy()[kept], rows.column("conversion").to_numpy()[kept]
    is_test = split_of(numbers) == "test"
    numbers, labels = numbers[is_test], labels[is_test]
    assert 1 / np.sqrt(labels.sum()) < 0.011  # The relative standard error of the mean label.
    scores = model.predict({name: values[numbers] for name, values in ids.items()}, batch_size=20_000, verbose=0)
    return scores["ctcvr"].mean() / labels.mean(), roc_auc(labels, scores["ctcvr"])


def open_share(log, newest):
    """Share of the training rows' conversions that have not come at the end of the rows' day, or of the log."""
    warehouse, final = log[0], log[0].converted
    spans = [(range(day, day + 1), day) for day in range(DAYS)] if newest else [(range(DAYS), DAYS - 1)]
    known = total = 0
    for days, end in spans:
        rows = warehouse.rows(days, end)
        rows = rows.filter(rows.column("conversion_copy").to_numpy() == 0)
        known += rows.column("conversion").to_numpy().sum()
        total += final[rows.column("number").to_numpy()].sum()
    return 1 - known / total


@pytest.mark.parametrize(("maturity", "spans"), [("importance", "newest"), ("delay", "growing")])
def test_daily_training_is_calibrated(log, trained, maturity, spans):
    found = {kind: measure(trained(kind, spans), log) for kind in ("known", maturity, "naive")}
    share = open_share(log, spans == "newest")
    print({**found, "open": share})
    assert found["known"][0] == pytest.approx(1, abs=0.03)
    assert found[maturity][0] == pytest.approx(1, abs=0.03)
    assert found["naive"][0] == pytest.approx(found["known"][0] * (1 - share), rel=0.05)
    assert found["naive"][0] < 0.95
    assert found[maturity][1] > found["known"][1] - 0.003


def test_rates_of_delays_are_those_of_the_simulator(log, trained):
    rows = {name: values[:5000] for name, values in log[1].items()}
    logarithms = trained("delay", "growing").delay_rates(rows).numpy().sum(1)[:, 0]
    assert np.exp(logarithms).mean() == pytest.approx(24 / 30, rel=0.1)
