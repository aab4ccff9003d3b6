"""Report of a comparison against the results that it is made of."""

import json
import math
import re

import pytest
from click.testing import CliRunner
from scipy import stats

from pipelines.cli import main
from pipelines.report.comparison_report import comparison_page, write_comparison_report
from pipelines.report.comparison_results import ComparisonResult

VALUES = {"mmoe": [0.70, 0.72, 0.71], "man": [0.74, 0.75, 0.73], "logistic_regression": [0.69]}


def record(model):
    values = VALUES[model]
    mean = sum(values) / len(values)
    sd = math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1)) if len(values) > 1 else None
    is_reference = model == "logistic_regression"
    return {
        "model": model, "task": "click", "output": "ctr", "space": "entire", "metric": "auc", "mean": mean, "sd": sd,
        "runs": len(values), "gain": None if is_reference else mean - 0.69, "gain_sd": sd, "lift_share": None,
        "best_baseline": "mmoe" if model == "man" else None, "better": True if model == "man" else None, "p": None,
        "p_holm": 0.01 if model == "man" else None, "parameters": 100.0, "training_seconds": 2.0, "epochs": 3.0,
        "scoring_us_per_row": 1.0, "values": dict(enumerate(values)),
    }  # fmt: skip


def run(row, seed, values):
    job = {"row": row, "model": row, "options": {"embedding_dim": 8}, "training": {}, "seed": seed, "trial": 2}
    return {"job": job, "history": {"val_ctr_auc": values}}


RESULTS = {
    "settings": {"name": "tiny", "reference": "logistic_regression", "baselines": ["mmoe"], "seeds": [1, 2, 3]},
    "monitor": "ctr_auc",
    "command": "tfmtl compare tiny.yaml",
    "commit": "",
    "data": {"rows": {"train": 80, "eval": 10, "test": 10}},
    "records": [record(model) for model in VALUES],
    "runs": [run("man", 1, [0.5, 0.7]), run("man", 2, [0.6, 0.8, 0.9]), run("mmoe", 1, [0.6, 0.6])],
}


def page():
    own = {name: RESULTS[name] for name in ("settings", "records", "runs", "command", "monitor")}
    return comparison_page(ComparisonResult(rows=RESULTS["data"]["rows"], **own))


def specs(page):
    return json.loads(re.search(r'<script id="figure-specs"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def rows(spec, field):
    return [row for data in spec["datasets"].values() for row in data if field in row]


def test_gains_have_their_intervals():
    gains = {row["model"]: row for row in rows(specs(page())["gains-0"], "low")}
    assert set(gains) == {"mmoe", "man"}
    low, high = stats.t.interval(0.95, 2, loc=0.74 - 0.69, scale=stats.sem(VALUES["man"]))
    assert (gains["man"]["low"], gains["man"]["high"]) == pytest.approx((low, high))


def test_curves_are_means_of_the_seeds_that_reached_the_epoch():
    found = {(row["model"], row["epoch"]): row["value"] for row in rows(specs(page())["curves"], "epoch")}
    assert found["man", 1] == pytest.approx(0.55)
    assert found["man", 3] == pytest.approx(0.9)
    assert ("mmoe", 3) not in found


def test_every_model_can_be_hidden():
    text = page()
    assert re.findall(r'<input type="checkbox" value="(\w+)"', text) == list(VALUES)
    assert "embedding_dim: 8" in text


def test_report_stands_beside_the_results(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    assert write_comparison_report(tmp_path / "results.json") == tmp_path / "report.html"
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


@pytest.mark.parametrize("text", ["{", '{"settings": {}}'])
def test_another_file_is_refused_in_a_line(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert result.exit_code == 2
    assert "should be the results.json that `tfmtl compare` wrote" in result.output.replace("\n", " ")
    assert "Traceback" not in result.output
