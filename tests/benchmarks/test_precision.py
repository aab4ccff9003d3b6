"""Accuracy of bfloat16: rows whose ids decide their labels, and a table whose tests agree with SciPy."""

import numpy as np
import pytest
import rich.console
from click.testing import CliRunner
from scipy import stats

from benchmarks.precision import POLICIES, main, make_spec, make_table, measure, simulate
from tfmtl.model_inputs import transformed_inputs


@pytest.mark.parametrize("model", ["mmoe", "m2m"])
def test_simulated_rows_fit_the_spec(model):
    spec, sizes = make_spec(model)
    features, labels = simulate(spec, sizes, 500)
    assert {name: (value.shape[1:], value.dtype.name) for name, value in features.items()} == {
        one.name: (one.shape, one.dtype) for one in transformed_inputs(spec)
    }
    for task in spec.tasks:
        assert labels[task.name].mean() > 0
        assert not task.follows or np.all(labels[task.name] <= labels[task.follows])
    again = simulate(spec, sizes, 500)[1]
    assert all(np.array_equal(labels[name], again[name]) for name in labels)


def test_table_shows_means_difference_and_p_values():
    rng = np.random.default_rng(0)
    values = {policy: dict(enumerate(rng.normal(0.7, 0.01, 5))) for policy in POLICIES}
    console = rich.console.Console(width=160, record=True)
    console.print(make_table({("mmoe", "click AUC"): values, ("man", "click AUC"): values}))
    text = console.export_text()
    exact, rough = (np.array(list(values[policy].values())) for policy in POLICIES)
    p = stats.ttest_rel(exact, rough).pvalue
    for part in (f"{exact.mean():.4f} +- {exact.std(ddof=1):.4f}", f"{rough.mean() - exact.mean():+.4f}", f"{p:.2f}"):
        assert text.count(part) >= 2
    assert text.count(f"{min(1, 2 * p):.2f}") >= 2


@pytest.mark.long
def test_command_prints_all_metrics():
    words = ["--seeds", "2", "--rows", "600", "--epochs", "1", "--models", "shared_bottom"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0
    for metric in ("click AUC", "purchase AUC", "purchase_given_click AUC"):
        assert metric in result.output


def test_counts_have_an_nmae():
    metrics = measure("m2m", "mixed_bfloat16", seed=0, rows=300, epochs=1)
    assert set(metrics) == {"clicks_next_week NMAE", "pay_next_week NMAE"}
    assert all(0 < value < 10 for value in metrics.values())
