"""Gains of a world's model by the strength of its premise, and their page."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.report.table import make_table
from pipelines.compare.worlds.gains import grows, oracle, world_gain
from pipelines.compare.worlds.page import FIGURE, PAGE, sentences, world_sheet, write_page
from pipelines.compare.worlds.settings import World, WorldsPlan, WorldsSettings
from tests.pipelines.compare.cases import SPEC, columns, noisy, result
from tests.pipelines.compare.fake_runs import comparison

DATA = columns()
WORLD = World("compare.yaml", "ours", "ctr")
SEEDS = range(1, 6)


def made():
    one = comparison(seeds=tuple(SEEDS))
    models = {name: one.settings.models["ours"] for name in ("base", "rival", "ours")}
    settings = dataclasses.replace(one.settings, models=models, baselines=("base", "rival"))
    return dataclasses.replace(one, settings=settings)


def auc_table(noise):
    """Table of runs whose scores have the given noise by row, and of the true labels as oracle."""
    runs = {
        row: [result(row, seed, noisy(DATA, level, 100 * i + seed), DATA) for seed in SEEDS]
        for i, (row, level) in enumerate(noise.items())
    }
    perfect = {"ctr": DATA.labels["click"], "cvr": DATA.labels["sale"], "ctcvr": DATA.labels["sale"]}
    return make_table(made().settings, SPEC, runs, evaluate(SPEC, DATA, perfect, None)), runs


def point(strength, noise):
    return world_gain("shop", WORLD, strength, made(), auc_table(noise)[0])


def test_gain_and_p_value():
    table, runs = auc_table({"base": 4.0, "rival": 3.0, "ours": 1.0})
    found = world_gain("shop", WORLD, 1.0, made(), table)
    aucs = {row: np.array([run.metrics["test"]["ctr"]["auc"] for run in results]) for row, results in runs.items()}
    assert aucs["rival"].mean() > aucs["base"].mean()
    differences = aucs["ours"] - aucs["rival"]
    assert found.best_baseline == "rival"
    assert found.gain.mean == pytest.approx(differences.mean())
    assert found.gain.sd == pytest.approx(differences.std(ddof=1))
    p_values = [stats.ttest_rel(aucs["ours"], aucs[row]).pvalue for row in ("base", "rival")]
    assert found.p == pytest.approx(max(p_values))
    assert found.beats_all
    assert oracle(found) == 1.0


def test_model_that_is_worse_than_one_baseline_does_not_beat_all():
    found = point(1.0, {"base": 4.0, "rival": 0.5, "ours": 2.0})
    assert found.gain.mean < 0
    assert found.p < 0.05  # The difference is significant, in the wrong direction.
    assert not found.beats_all


def test_missing_baseline_is_not_beaten():
    found = point(1.0, {"base": 4.0, "ours": 1.0})
    assert found.best_baseline == "base"
    assert found.gain.mean > 0
    assert not found.beats_all


def points():
    return [
        point(0.0, {"base": 2.0, "rival": 2.0, "ours": 2.0}),
        point(0.5, {"base": 2.0, "rival": 2.0, "ours": 1.0}),
        point(1.0, {"base": 2.0, "rival": 2.0, "ours": 0.5}),
    ]


def test_growth_and_sentences():
    rising = points()
    assert grows(rising)
    assert not grows([rising[0], rising[2], rising[1]])
    assert sentences({"shop": rising}) == [
        "shop: at strength 1, ours is better than each baseline; its gain grows with the strength."
    ]
    assert sentences({"shop": [rising[2], rising[0]]}) == [
        "shop: at strength 0, ours is not better than each baseline with p below .05; its gain does not grow with the "
        "strength."
    ]


def test_page(tmp_path):
    settings = WorldsSettings("worlds", {"shop": WORLD})
    tuned = dataclasses.replace(made().settings, trials=7)
    plan = WorldsPlan(settings, {("shop", 1.0): dataclasses.replace(made(), settings=tuned)})
    gains = {"shop": points()}
    write_page(tmp_path / "page", plan, gains, "tfmtl compare w.yaml")
    text = (tmp_path / "page" / PAGE).read_text(encoding="utf-8")
    assert text.startswith("# worlds\n")
    assert "`tfmtl compare w.yaml`" in text
    assert "7 trials for each row, at strength 1, chosen on the eval split" in text
    assert (tmp_path / "page" / FIGURE).stat().st_size > 10_000
    sheet = world_sheet(gains["shop"], ("base", "rival"))
    assert sheet.columns[:5] == ("strength", "oracle", "ours", "base", "rival")
    assert [row[0] for row in sheet.rows] == ["0", "0.5", "1"]
    assert [row[-1] for row in sheet.rows] == ["no", "yes", "yes"]
    for row in sheet.rows:
        assert " | ".join(row[:3]) in text
