"""Gains of a world's model by the strength of its premise, and their page."""

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.report.table import make_table
from pipelines.compare.worlds import gains
from pipelines.compare.worlds.gains import grows, world_gain
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
    assert found.summaries["oracle"].mean == 1.0


def test_model_that_is_worse_than_one_baseline_does_not_beat_all():
    found = point(1.0, {"base": 4.0, "rival": 0.5, "ours": 2.0})
    assert found.gain.mean < 0
    assert found.p < 0.05  # The difference is significant, in the wrong direction.
    assert not found.beats_all


def test_gain_in_an_error_is_its_decrease(monkeypatch):
    monkeypatch.setattr(gains, "main_metric", lambda spec, output: "log_loss")
    table, runs = auc_table({"base": 4.0, "rival": 3.0, "ours": 1.0})
    found = world_gain("shop", WORLD, 1.0, made(), table)
    losses = {
        row: np.mean([run.metrics["test"]["ctr"]["log_loss"] for run in results]) for row, results in runs.items()
    }
    lowest = min(("base", "rival"), key=losses.__getitem__)
    assert found.best_baseline == lowest
    assert found.gain.mean == pytest.approx(losses[lowest] - losses["ours"])
    assert found.gain.mean > 0
    assert found.beats_all


def test_table_fits_a_terminal_of_80_columns():
    """With five baselines of the longest name, all columns are complete."""
    one = point(1.0, {"base": 2.0, "rival": 2.0, "ours": 0.5})
    names = ("shared_bottom", "mmoe", "ple", "esmm", "aitm")
    full = dataclasses.replace(one, summaries={**one.summaries, **dict.fromkeys(names, one.summaries["base"])})
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(world_sheet([full, full, full], names).rich())
    text = console.export_text()
    assert "strength" in text
    assert "…" not in text


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
        "shop: at strength 1, ours is better than each baseline. Its mean gain grows with the strength: "
        f"{', '.join(f'{one.gain.mean:+.4f} at {one.strength:g}' for one in rising)}."
    ]
    (line,) = sentences({"shop": [rising[2], rising[0]]})
    assert line.startswith(
        "shop: at strength 0, ours is not better than each baseline with p below .05. Its mean gain "
    )
    assert "does not grow with the strength: +0." in line


def test_page(tmp_path):
    settings = WorldsSettings("worlds", {"shop": WORLD})
    tuned = dataclasses.replace(made().settings, trials=7)
    plan = WorldsPlan(settings, {("shop", 1.0): dataclasses.replace(made(), settings=tuned)})
    by_world = {"shop": points()}
    write_page(tmp_path / "page", plan, by_world, "tfmtl compare w.yaml")
    text = (tmp_path / "page" / PAGE).read_text(encoding="utf-8")
    assert text.startswith("# worlds\n")
    assert "`tfmtl compare w.yaml`" in text
    assert "Search at strength 1; the other strengths have the hyper-parameters that it chose:\n  - shop: succ" in text
    assert "7 trials of each tunable row" in text
    assert (tmp_path / "page" / FIGURE).stat().st_size > 10_000
    sheet = world_sheet(by_world["shop"], ("base", "rival"))
    assert sheet.columns == ("", "strength 0", "strength 0.5", "strength 1")
    cells = {row[0]: row[1:] for row in sheet.rows}
    assert list(cells) == ["oracle", "ours", "base", "rival", "gain of ours", "over", "p", "better than all"]
    assert cells["better than all"] == ("no", "yes", "yes")
    assert cells["oracle"] == ("1.0000",) * 3
    for row in sheet.rows:
        assert " | ".join(row) in text
