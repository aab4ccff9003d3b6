"""Command `tfmtl compare`: two models with two seeds on a small simulated log."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import yaml
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from pipelines.cli import main
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.prepared.prepared import Prepared

pytestmark = pytest.mark.slow
REPOSITORY = pathlib.Path(__file__).parents[3]
SETTINGS = {
    "name": "small",
    "base": str(REPOSITORY / "examples" / "demo.yaml"),
    "simulator": {"rows": 3000},
    "options": {"embedding_dim": 4},
    "training": {"max_epochs": 1, "batch_size": 256},
    "monitor": "ctr_auc",
    "models": {
        "lightgbm": {"options": {"max_rounds": 5, "patience": 5}},
        "mmoe": {"options": {"num_experts": 2, "expert_units": [16], "tower_units": [8]}},
    },
    "seeds": [1, 2],
    "reference": "lightgbm",
    "baselines": ["lightgbm"],
}
RUNS = 4


def finished_runs(out):
    """Result files of the finished runs; `*` also matches the folder of an unfinished run."""
    return [path for path in (out / "runs").glob("*/result.json") if not path.parent.name.startswith(".")]


def write(folder, **changes):
    folder.mkdir(exist_ok=True)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}, sort_keys=False), encoding="utf-8")
    return path


def compare(path, out, *words):
    result = CliRunner().invoke(main, ["compare", str(path), "--out", str(out), *words])
    assert result.exit_code == 0, result.output
    return result.output, json.loads((out / "report" / "results.json").read_text())


def numbers(plain):
    """Every metric of every run, with all digits."""
    return {(r["model"], r["output"], r["metric"]): r["values"] for r in plain["records"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    return root, *compare(write(root), root / "out")


def test_table_equals_the_metrics_of_the_kept_scores(finished):
    root, output, plain = finished
    assert "cvr on click = 1; p: against" in output
    assert "oracle" in output
    values = numbers(plain)
    data = Prepared.load(root / "out" / "prepared")
    assert values["oracle", "ctr", "auc"]["-1"] > max(values["mmoe", "ctr", "auc"].values())
    for run in plain["runs"]:
        job = run["job"]
        kept = [p for p in finished_runs(root / "out") if json.loads(p.read_text())["job"] == job]
        assert len(kept) == 1
        with np.load(kept[0].parent / "scores.npz") as scores:
            measured = evaluate(data.spec, data.columns("test"), dict(scores), data.truth())
        for output_name, metrics in measured.items():
            for metric, value in metrics.items():
                assert values[job["row"], output_name, metric][str(job["seed"])] == pytest.approx(value, nan_ok=True)


def test_health_of_networks_is_measured_in_every_run(finished):
    _, output, plain = finished
    assert "Health of mechanisms" in output
    measured = {run["job"]["row"]: {one["kind"] for one in run["health"]} for run in plain["runs"]}
    assert measured == {"mmoe": {"gate"}, "lightgbm": set()}
    values = [one["value"] for run in plain["runs"] for one in run["health"]]
    assert len(set(values)) == len(values) == 2 * 2 * 3, "two seeds, two gates and three measures"


def by_scenario(plain):
    return {(r["model"], r["output"], r["scenario"]): r for r in plain["scenario_records"] if r["metric"] == "auc"}


def test_auc_by_scenario_equals_scikit_learns_on_the_kept_scores(finished):
    root, output, plain = finished
    assert "click: ctr on all rows, by scenario: AUC" in output
    records = by_scenario(plain)
    data = Prepared.load(root / "out" / "prepared")
    columns = {
        "scenario": tf.io.FixedLenFeature([], tf.string),
        **{name: tf.io.FixedLenFeature([], tf.int64) for name in data.spec.labels},
    }
    examples = list(tf.data.TFRecordDataset(data.files("test"), "GZIP").as_numpy_iterator())
    rows = {name: values.numpy() for name, values in tf.io.parse_example(examples, columns).items()}
    labels = {task.name: rows[task.label] for task in data.spec.tasks}
    assert {scenario.encode() for _, _, scenario in records} == set(rows["scenario"])
    for path in finished_runs(root / "out"):
        job = json.loads(path.read_text())["job"]
        with np.load(path.parent / "scores.npz") as scores:
            for output in data.spec.outputs:
                for scenario in ("search", "feed", "banner"):
                    own = rows["scenario"] == scenario.encode()
                    if output.space != "entire":
                        own &= labels[data.spec.task(output.task).follows] == 1
                    record = records[job["row"], output.name, scenario]
                    assert record["rows"] == own.sum()
                    expected = None
                    if len(set(labels[output.task][own])) == 2:
                        expected = pytest.approx(roc_auc_score(labels[output.task][own], scores[output.name][own]))
                    assert record["values"][str(job["seed"])] == expected


@pytest.mark.long
def test_evaluates_scenarios_of_data_and_runs_that_were_kept_without_them(finished):
    root, _, plain = finished
    prepared = root / "out" / "prepared"
    kept = json.loads((prepared / "prepared.json").read_text())
    del kept["format"]
    (prepared / "prepared.json").write_text(json.dumps(kept))
    for path in prepared.glob("test-scenario*.npy"):
        path.unlink()
    for path in finished_runs(root / "out"):
        result = json.loads(path.read_text())
        del result["scenarios"], result["health"]
        path.write_text(json.dumps(result))
    _, again = compare(root / "small.yaml", root / "out", "--kept-only")
    assert again["data"] == plain["data"]
    assert by_scenario(again) == by_scenario(plain)


def test_seeds_give_different_scores(finished):
    values = numbers(finished[2])
    for row in ("mmoe", "lightgbm"):
        assert len(set(values[row, "ctr", "auc"].values())) == 2


@pytest.mark.long
def test_same_seed_gives_the_same_table_in_a_new_folder(finished, tmp_path):
    """The log is simulated, preprocessed and sorted again."""
    path = write(tmp_path / "again", seeds=[2])
    _, plain = compare(path, tmp_path / "out")
    assert plain["data"] == finished[2]["data"]
    before, after = numbers(finished[2]), numbers(plain)
    for key, values in after.items():
        expected = before[key]
        assert values == {seed: expected[seed] for seed in values}


@pytest.mark.long
def test_continues_after_a_kill(finished):
    root = finished[0]
    runs = root / "out" / "runs"
    path = write(root / "more", seeds=[1, 2, 3])
    words = ["compare", str(path), "--out", str(root / "out")]
    command = [sys.executable, "-c", "from pipelines.cli import program; program()", *words]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not len(finished_runs(root / "out")) > RUNS or not list(runs.glob(".unfinished-*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    kept = len(finished_runs(root / "out"))
    assert kept == RUNS + 1
    output, plain = compare(path, root / "out")
    assert f"6 runs, {kept} of them finished before" in output
    assert len(numbers(plain)["mmoe", "ctr", "auc"]) == 3
    assert not list(runs.glob(".unfinished-*"))


SEARCHED = {
    "trials": 5,
    "seeds": [1],
    "halving": {"eta": 2, "max_epochs": 1},
    "models": {
        "mmoe": {
            "options": {"num_experts": 2, "expert_units": [16], "tower_units": [8]},
            "space": {
                "options.expert_units": {"kind": "choice", "values": [[4], [32]]},
                "training.optimizer.epsilon": {"kind": "range", "low": 1e-7, "high": 1e-2, "log": True},
            },
        },
    },
    "reference": "mmoe",
    "baselines": [],
}


def without_seconds(path):
    """Records of the trials of a report, in the order of their keys."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(({**record, "seconds": 0} for record in records), key=lambda record: record["key"])


@pytest.mark.long
def test_searches_two_at_a_time_as_one_at_a_time_and_takes_recorded_trials_elsewhere(tmp_path, monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    path = write(tmp_path, **SEARCHED)
    output, one = compare(path, tmp_path / "one")
    assert "5 trials on 10 % of the rows" in output
    _, two = compare(path, tmp_path / "two", "--jobs", "2")
    records = [tmp_path / name / "report" / "trials.jsonl" for name in ("one", "two")]
    assert len(without_seconds(records[0])) == 5 + 3
    assert without_seconds(records[0]) == without_seconds(records[1])
    assert numbers(one) == numbers(two)
    page = (tmp_path / "two" / "report" / "results.md").read_text()
    assert "5 on 10 % of the rows (at most 1 epochs), then 3 on all rows; by ctr_auc on the eval split" in page
    assert "| mmoe | " in page.partition("What was chosen")[2]

    (tmp_path / "elsewhere" / "report").mkdir(parents=True)
    text = records[0].read_text()
    (tmp_path / "elsewhere" / "report" / "trials.jsonl").write_text(text + text[:30])
    output, again = compare(path, tmp_path / "elsewhere")
    assert "an incomplete last line is ignored" in " ".join(output.split())
    assert "trials on" not in output
    assert numbers(again) == numbers(one)
    assert len(finished_runs(tmp_path / "elsewhere")) == 1
