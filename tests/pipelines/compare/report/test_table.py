"""Numbers of the table from synthetic runs: perfect and constant scores, gains, tests of a family, the oracle."""

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.report.table import ORACLE, make_table
from pipelines.compare.runs.result import write_run
from pipelines.compare.runs.store import RunStore
from tests.pipelines.compare.cases import ROWS, SPEC, columns, job, noisy, result, settings

DATA = columns()
SEEDS = (1, 2, 3)


def make_runs(noises):
    return {
        row: [result(row, seed, noisy(DATA, noise, 10 * i + seed), DATA) for seed in SEEDS]
        for i, (row, noise) in enumerate(noises.items())
    }


def aucs(runs, row, output):
    return [run.metrics["test"][output]["auc"] for run in runs[row]]


def test_perfect_scores_have_auc_1_and_constant_scores_one_half(tmp_path):
    """Both runs are kept in a store and read from it."""
    labels = DATA.labels
    perfect = {"ctr": labels["click"], "cvr": labels["sale"], "ctcvr": labels["sale"]}
    constant = {name: np.full(ROWS, 0.3, np.float32) for name in perfect}
    store = RunStore(tmp_path, "data", "c")
    for row, scores in (("perfect", perfect), ("constant", constant)):
        for seed in SEEDS:
            one = result(row, seed, scores, DATA)
            with store.writing(one.job) as folder:
                write_run(folder, one, scores)
    kept = {row: [store.get(job(row, seed)) for seed in SEEDS] for row in ("constant", "perfect")}
    table = make_table(settings(("constant", "perfect")), SPEC, kept)
    for output in ("ctr", "cvr", "ctcvr"):
        for metric in ("auc", "gauc"):
            assert table.cells["perfect", output, metric].summary.mean == 1.0
            assert table.cells["constant", output, metric].summary.mean == 0.5
        assert table.cells["perfect", output, "auc"].gain == pytest.approx(1.0)
        assert table.cells["perfect", output, "calibration"].summary.mean == pytest.approx(1.0)
        assert table.cells["perfect", output, "log_loss"].summary.mean < 1e-6


def test_cells_have_mean_deviation_and_gain():
    runs = make_runs({"base": 3.0, "rival": 2.5, "ours": 1.5})
    table = make_table(settings(), SPEC, runs)
    assert table.rows == ("base", "rival", "ours")
    for output in ("ctr", "cvr", "ctcvr"):
        cell = table.cells["ours", output, "auc"]
        own, other = aucs(runs, "ours", output), aucs(runs, "base", output)
        assert cell.summary.mean == pytest.approx(np.mean(own))
        assert cell.summary.sd == pytest.approx(np.std(own, ddof=1))
        assert cell.gain == pytest.approx(np.mean(own) / np.mean(other) - 1)
        assert cell.gain_sd == pytest.approx(np.std(np.divide(own, other) - 1, ddof=1))
        assert math.isnan(table.cells["base", output, "auc"].gain)
        assert math.isnan(table.cells["ours", output, "calibration"].gain)
    assert table.costs["ours"].training.mean == pytest.approx(12.0)
    assert table.costs["ours"].scoring.mean == pytest.approx(10.0)


def test_correction_is_over_all_tested_rows_and_outputs_of_a_metric():
    runs = make_runs({"base": 3.0, "rival": 2.5, "ours": 2.0, "theirs": 2.4})
    names = settings(("base", "rival", "ours", "theirs"), baselines=("base", "rival"))
    table = make_table(names, SPEC, runs)
    expected = {}
    for output in ("ctr", "cvr", "ctcvr"):
        strongest = max(("base", "rival"), key=lambda row: np.mean(aucs(runs, row, output)))
        for row in ("ours", "theirs"):
            cell = table.cells[row, output, "auc"]
            assert cell.best_baseline == strongest
            expected[row, output] = stats.ttest_rel(aucs(runs, row, output), aucs(runs, strongest, output)).pvalue
            assert cell.better == (np.mean(aucs(runs, row, output)) > np.mean(aucs(runs, strongest, output)))
        assert table.cells["rival", output, "auc"].best_baseline == ""
    highest = 0.0
    for rank, (key, p) in enumerate(sorted(expected.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (6 - rank) * p))
        cell = table.cells[(*key, "auc")]
        assert (cell.p, cell.p_holm) == pytest.approx((p, highest))


def test_best_baseline_has_the_lowest_error():
    runs = make_runs({"base": 3.0, "rival": 1.0, "ours": 2.0})
    cell = make_table(settings(), SPEC, runs).cells["ours", "ctr", "log_loss"]
    assert cell.best_baseline == "rival"
    assert not cell.better


def test_best_baseline_has_all_seeds():
    """The mean of one seed may be high by chance, and there would be no test against it."""
    runs = make_runs({"base": 3.0, "rival": 1.0, "ours": 2.0})
    runs["rival"] = runs["rival"][:1]
    cell = make_table(settings(), SPEC, runs).cells["ours", "ctr", "auc"]
    assert cell.best_baseline == "base"
    assert cell.p == pytest.approx(stats.ttest_rel(aucs(runs, "ours", "ctr"), aucs(runs, "base", "ctr")).pvalue)
    runs["base"] = runs["base"][:2]
    assert make_table(settings(), SPEC, runs).cells["ours", "ctr", "auc"].best_baseline == ""


def test_oracle_is_the_last_row_and_not_tested():
    truth = noisy(DATA, 0.5, 99)
    oracle = evaluate(SPEC, DATA, truth)
    runs = make_runs({"base": 3.0, "rival": 2.5, "ours": 2.0})
    table = make_table(settings(), SPEC, runs, oracle)
    assert table.rows[-1] == ORACLE
    cell = table.cells[ORACLE, "ctr", "auc"]
    assert cell.values == {NO_SEED: oracle["ctr"]["auc"]}
    assert cell.best_baseline == ""
    assert cell.gain > table.cells["ours", "ctr", "auc"].gain > 0
    assert ORACLE not in table.costs


def test_lift_share_is_relative_to_the_oracle():
    oracle = evaluate(SPEC, DATA, noisy(DATA, 0.5, 99))
    runs = make_runs({"base": 3.0, "rival": 2.5, "ours": 2.0})
    table = make_table(settings(), SPEC, runs, oracle)
    for metric in ("auc", "gauc"):
        own = np.mean([run.metrics["test"]["cvr"][metric] for run in runs["ours"]])
        expected = (own - 0.5) / (oracle["cvr"][metric] - 0.5)
        assert 0 < expected < 1
        assert table.cells["ours", "cvr", metric].lift_share == pytest.approx(expected)
    for cell in (table.cells["ours", "cvr", "log_loss"], table.cells[ORACLE, "cvr", "auc"]):
        assert math.isnan(cell.lift_share)
    assert math.isnan(make_table(settings(), SPEC, runs).cells["ours", "cvr", "auc"].lift_share)


def test_rows_without_runs_are_omitted():
    table = make_table(settings(), SPEC, {**make_runs({"rival": 2.0}), "base": []})
    assert table.rows == ("rival",)
    assert math.isnan(table.cells["rival", "ctr", "auc"].gain)
