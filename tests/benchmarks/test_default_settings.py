"""Accuracy of the default settings: differences on the same rows, the page, the splits and the simulated logs."""

import csv

import numpy as np
import pytest
import yaml

from benchmarks.default_logs import logs
from benchmarks.default_settings import _splits
from benchmarks.default_settings_page import REGRESSION, Run, make_rows, read_runs, write_page
from pipelines.settings_file import load_settings

SEEDS = (1, 2)
REFERENCE = {0: 0.70, 1: 0.72}


def runs(gain=0.01, log="ads"):
    found = []
    for split, auc in REFERENCE.items():
        for part, offset in (("test", 0.0), ("eval", 0.05)):
            found.append(Run(log, split, REGRESSION, -1, part, "ctr", auc + offset))
            found += [Run(log, split, "mmoe", seed, part, "ctr", auc + offset + gain * seed) for seed in SEEDS]
            found.append(Run(log, split, "esmm", 1, part, "ctr", auc + offset - 0.001 * (split + 1)))
    return found


def test_differences_are_those_on_the_rows_of_the_same_split():
    mmoe, esmm = make_rows(runs(), "test")
    assert (mmoe.model, esmm.model) == ("mmoe", "esmm")
    assert mmoe.reference == pytest.approx(0.71)
    assert {split: np.round(values, 6).tolist() for split, values in mmoe.by_split.items()} == {
        0: [0.01, 0.02],
        1: [0.01, 0.02],
    }
    assert mmoe.mean == pytest.approx(0.015)
    assert esmm.mean == pytest.approx(-0.0015)
    assert make_rows(runs(), "eval")[0].reference == pytest.approx(0.76)


def test_page_says_which_outputs_are_better_level_or_worse(tmp_path):
    write_page(tmp_path, [*runs(), *runs(gain=-0.01, log="shop")])
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| ads | ctr | mmoe | 0.7100 | +0.0150 ± 0.0071 | +0.0150 | 4 | better |" in page
    assert "| ads | ctr | esmm | 0.7100 | -0.0015 ± 0.0000 | -0.0020 | 2 | level |" in page
    assert "| shop | ctr | mmoe | 0.7100 | -0.0150 ± 0.0071 | -0.0150 | 4 | worse |" in page
    assert page.index("| ads | ctr | mmoe") < page.index("## Other models") < page.index("| ads | ctr | esmm")
    assert (tmp_path / "differences.png").stat().st_size > 5000
    with open(tmp_path / "results.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(runs()) * 2
    assert read_runs(tmp_path) == [*runs(), *runs(gain=-0.01, log="shop")]
    assert read_runs(tmp_path / "elsewhere") == []


def test_splits_differ_and_the_first_is_that_of_the_settings(tmp_path):
    split = {"kind": "random", "eval": 0.1, "test": 0.1}
    found = list(_splits({"spec": {"split": split}}, tmp_path))
    assert [one["salt"] for one in found] == ["", "1", "2"]
    log = tmp_path / "log.csv"
    days = np.datetime64("2026-01-01") + np.arange(100)
    log.write_text("day,clicked\n" + "".join(f"{day},{i % 2}\n" for i, day in enumerate(days)), encoding="utf-8")
    split = {"kind": "time", "column": "day", "eval_from": "2026-03-20", "test_from": "2026-03-31"}
    found = list(_splits({"spec": {"split": split}}, log))
    assert found[0] == split
    shares = [[str(bound)[:10] for bound in (one["eval_from"], one["test_from"])] for one in found[1:]]
    assert shares == [["2026-03-11", "2026-03-26"], ["2026-03-01", "2026-03-21"]]


def test_simulated_logs_have_valid_settings(tmp_path):
    simulated = [log for log in logs() if log.simulator]
    assert len(simulated) == 2
    for log in simulated:
        path = tmp_path / f"{log.name}.yaml"
        path.write_text(yaml.safe_dump(log.simulator), encoding="utf-8")
        assert load_settings(path).simulator.rows >= 100_000
