"""The table's numbers from hand-made runs: a cheat and a constant, gains, tests of a family, the oracle."""

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.report.table import ORACLE, make_table
from pipelines.compare.runs.store import RunStore, write_run
from tests.pipelines.compare.cases import ROWS, SPEC, columns, job, noisy, result, settings

DATA = columns()
SEEDS = (1, 2, 3)


def runs(noises):
    return {
        row: [result(row, seed, noisy(DATA, noise, 10 * i + seed), DATA) for seed in SEEDS]
        for i, (row, noise) in enumerate(noises.items())
    }


def aucs(of_rows, row, output):
    return [run.metrics["test"][output]["auc"] for run in of_rows[row]]


def test_a_cheat_has_1_and_a_constant_half(tmp_path):
    """Through the store: a model that was shown the labels, and one that says the same of every row."""
    labels = DATA.labels
    cheat = {"ctr": labels["click"], "cvr": labels["sale"], "ctcvr": labels["sale"]}
    constant = {name: np.full(ROWS, 0.3, np.float32) for name in cheat}
    store = RunStore(tmp_path, "data", "c")
    for row, scores in (("cheat", cheat), ("constant", constant)):
        for seed in SEEDS:
            one = result(row, seed, scores, DATA)
            with store.writing(one.job) as folder:
                write_run(folder, one, scores)
    kept = {row: [store.get(job(row, seed)) for seed in SEEDS] for row in ("constant", "cheat")}
    table = make_table(settings(("constant", "cheat")), SPEC, kept)
    for output in ("ctr", "cvr", "ctcvr"):
        for metric in ("auc", "gauc"):
            assert table.cells["cheat", output, metric].summary.mean == 1.0
            assert table.cells["constant", output, metric].summary.mean == 0.5
        assert table.cells["cheat", output, "auc"].gain == pytest.approx(1.0)
        assert table.cells["cheat", output, "calibration"].summary.mean == pytest.approx(1.0)
        assert table.cells["cheat", output, "log_loss"].summary.mean < 1e-6


def test_mean_deviation_and_gain():
    found = runs({"base": 3.0, "rival": 2.5, "ours": 1.5})
    table = make_table(settings(), SPEC, found)
    assert table.rows == ("base", "rival", "ours")
    for output in ("ctr", "cvr", "ctcvr"):
        cell = table.cells["ours", output, "auc"]
        own, other = aucs(found, "ours", output), aucs(found, "base", output)
        assert cell.summary.mean == pytest.approx(np.mean(own))
        assert cell.summary.sd == pytest.approx(np.std(own, ddof=1))
        assert cell.gain == pytest.approx(np.mean(own) / np.mean(other) - 1)
        assert cell.gain_sd == pytest.approx(np.std(np.divide(own, other) - 1, ddof=1))
        assert math.isnan(table.cells["base", output, "auc"].gain)
        assert math.isnan(table.cells["ours", output, "calibration"].gain)
    assert table.costs["ours"].training.mean == pytest.approx(12.0)
    assert table.costs["ours"].scoring.mean == pytest.approx(10.0)


def test_the_family_is_all_tested_rows_and_outputs_of_a_metric():
    found = runs({"base": 3.0, "rival": 2.5, "ours": 2.0, "theirs": 2.4})
    names = settings(("base", "rival", "ours", "theirs"), baselines=("base", "rival"))
    table = make_table(names, SPEC, found)
    expected = {}
    for output in ("ctr", "cvr", "ctcvr"):
        strongest = max(("base", "rival"), key=lambda row: np.mean(aucs(found, row, output)))
        for row in ("ours", "theirs"):
            cell = table.cells[row, output, "auc"]
            assert cell.best_baseline == strongest
            expected[row, output] = stats.ttest_rel(aucs(found, row, output), aucs(found, strongest, output)).pvalue
            assert cell.better == (np.mean(aucs(found, row, output)) > np.mean(aucs(found, strongest, output)))
        assert table.cells["rival", output, "auc"].best_baseline == ""
    highest = 0.0
    for rank, (key, p) in enumerate(sorted(expected.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (6 - rank) * p))
        cell = table.cells[(*key, "auc")]
        assert (cell.p, cell.p_holm) == pytest.approx((p, highest))


def test_of_an_error_the_lowest_is_the_best_baseline():
    found = runs({"base": 3.0, "rival": 1.0, "ours": 2.0})
    cell = make_table(settings(), SPEC, found).cells["ours", "ctr", "log_loss"]
    assert cell.best_baseline == "rival"
    assert not cell.better


def test_the_best_baseline_has_all_seeds():
    """Of one seed a mean may be high by chance, and there would be no test."""
    found = runs({"base": 3.0, "rival": 1.0, "ours": 2.0})
    found["rival"] = found["rival"][:1]
    cell = make_table(settings(), SPEC, found).cells["ours", "ctr", "auc"]
    assert cell.best_baseline == "base"
    assert cell.p == pytest.approx(stats.ttest_rel(aucs(found, "ours", "ctr"), aucs(found, "base", "ctr")).pvalue)
    found["base"] = found["base"][:2]
    assert make_table(settings(), SPEC, found).cells["ours", "ctr", "auc"].best_baseline == ""


def test_the_oracle_stands_last_and_is_not_tested():
    truth = noisy(DATA, 0.5, 99)
    oracle = evaluate(SPEC, DATA, truth)
    found = runs({"base": 3.0, "rival": 2.5, "ours": 2.0})
    table = make_table(settings(), SPEC, found, oracle)
    assert table.rows[-1] == ORACLE
    cell = table.cells[ORACLE, "ctr", "auc"]
    assert cell.values == {NO_SEED: oracle["ctr"]["auc"]}
    assert cell.best_baseline == ""
    assert cell.gain > table.cells["ours", "ctr", "auc"].gain > 0
    assert ORACLE not in table.costs


def test_the_share_of_the_oracles_lift():
    oracle = evaluate(SPEC, DATA, noisy(DATA, 0.5, 99))
    found = runs({"base": 3.0, "rival": 2.5, "ours": 2.0})
    table = make_table(settings(), SPEC, found, oracle)
    for metric in ("auc", "gauc"):
        own = np.mean([run.metrics["test"]["cvr"][metric] for run in found["ours"]])
        expected = (own - 0.5) / (oracle["cvr"][metric] - 0.5)
        assert 0 < expected < 1
        assert table.cells["ours", "cvr", metric].lift_share == pytest.approx(expected)
    for cell in (table.cells["ours", "cvr", "log_loss"], table.cells[ORACLE, "cvr", "auc"]):
        assert math.isnan(cell.lift_share)
    assert math.isnan(make_table(settings(), SPEC, found).cells["ours", "cvr", "auc"].lift_share)


def test_rows_without_runs_are_left_out():
    table = make_table(settings(), SPEC, {**runs({"rival": 2.0}), "base": []})
    assert table.rows == ("rival",)
    assert math.isnan(table.cells["rival", "ctr", "auc"].gain)
