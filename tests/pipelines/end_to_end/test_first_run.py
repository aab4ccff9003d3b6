"""Whole pipeline on a small log: report, lineage, cache, blessing, push.

These tests run before the others of their folder, which push further models.
"""

import dataclasses
import glob
import json
import pathlib

import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score
from tfx.types import standard_artifacts

from pipelines.components.example_gen import ingest_report
from pipelines.components.pusher import OncePusherExecutor
from pipelines.errors import exit_code, user_message
from pipelines.evaluation.results import overall_auc, read_metrics
from pipelines.pushing.destination import newest_version, versions
from pipelines.pushing.model_record import RECORDS, read_record
from pipelines.runners.local import run_pipeline
from serving.export import describe
from tests.pipelines.end_to_end.conftest import ROWS
from tests.pipelines.scoring import graph_session_scores, read_examples
from transforms.ingest.manifest import REJECTS

pytestmark = pytest.mark.slow
COMPONENTS = [
    "LogExampleGen",
    "accepted_log",
    "StatisticsGen",
    "ExampleValidator",
    "SchemaGen",
    "Transform",
    "Trainer",
    "latest_blessed_model",
    "Evaluator",
    "Pusher",
]
LOOK_UPS = ("accepted_log", "latest_blessed_model")


def test_every_component_ran_and_the_model_was_pushed(end_to_end):
    assert list(end_to_end.run.steps) == COMPONENTS
    assert not any(step.cached for name, step in end_to_end.run.steps.items() if name not in LOOK_UPS)
    assert end_to_end.run.blessed
    base = end_to_end.paths.serving("demo")
    assert sorted(path.name for path in base.iterdir()) == [RECORDS, end_to_end.run.pushed_version]
    assert newest_version(str(base)) == str(base / end_to_end.run.pushed_version)


def test_rejected_rows_are_counted_and_kept_with_line_and_reason(end_to_end):
    uri = end_to_end.run.uri("LogExampleGen", "examples")
    total = ingest_report(uri).total
    assert total.read == ROWS + len(end_to_end.bad_lines)
    assert sum(total.accepted.values()) == ROWS
    files = [pathlib.Path(path) for path in glob.glob(f"{uri}/{REJECTS}*")]
    kept = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert {row["line"]: row["reason"] for row in kept} == end_to_end.bad_lines
    written = {s: len(read_examples(end_to_end, s)) for s in ("train", "eval", "test")}
    assert written == dict(total.accepted)


def test_metrics_agree_with_scikit_learn_on_each_space(end_to_end):
    """Scores in the same bin of a histogram count as equal, which explains the tolerance of 1e-3."""
    spec = end_to_end.settings.spec
    examples = read_examples(end_to_end, "test")
    pushed = end_to_end.run.uri("Pusher", "pushed_model")
    scores = graph_session_scores(pushed, "serving_default", {"examples": examples})
    labels = tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.int64) for name in spec.labels})
    click, conversion = labels["click"].numpy(), labels["conversion"].numpy()
    clicked = click == 1
    rows = read_metrics(spec, end_to_end.run.uri("Evaluator", "evaluation"))
    aucs = overall_auc(rows)
    assert aucs["ctr"] == pytest.approx(roc_auc_score(click, scores["ctr"]), abs=1e-3)
    assert aucs["ctcvr"] == pytest.approx(roc_auc_score(conversion, scores["ctcvr"]), abs=1e-3)
    assert aucs["cvr"] == pytest.approx(roc_auc_score(conversion[clicked], scores["cvr"][clicked]), abs=1e-3)
    overall = {row.output.name: row.calibration for row in rows if not row.slice}
    assert overall["ctr"] == pytest.approx(scores["ctr"].mean() / click.mean(), rel=1e-4)
    assert overall["cvr"] == pytest.approx(scores["cvr"][clicked].mean() / conversion[clicked].mean(), rel=1e-4)
    assert {row.slice for row in rows} == {"", "search", "feed", "banner"}


def test_a_second_run_is_cached_and_pushes_nothing(end_to_end):
    """Only the Pusher runs, which looks at the destination, and the check of the data."""
    again = run_pipeline(end_to_end.settings, end_to_end.paths)
    executed = {name for name, step in again.steps.items() if not step.cached}
    assert executed == {*LOOK_UPS, "ExampleValidator", "Pusher"}, (
        "the log is now compared with the accepted one, itself"
    )
    assert again.pushed_version is None
    assert again.blessed
    assert len(versions(str(end_to_end.paths.serving("demo")))) == 1


def test_the_newest_version_is_not_pushed_again(end_to_end, tmp_path):
    """On Kubeflow, a run on the same log may give the same model again."""
    model = standard_artifacts.Model()
    model.uri = end_to_end.run.uri("Trainer", "model")
    blessing = standard_artifacts.ModelBlessing()
    blessing.set_int_custom_property("blessed", 1)
    inputs = {"model": [model], "model_blessing": [blessing]}
    for step, key in (("Evaluator", "evaluation"), ("LogExampleGen", "examples")):
        inputs[key] = [standard_artifacts.ModelEvaluation() if key == "evaluation" else standard_artifacts.Examples()]
        inputs[key][0].uri = end_to_end.run.uri(step, key)
    serving = str(tmp_path / "serving")
    properties = {"destination": serving, "spec_hash": "hash", "must_pass": 0}
    pushed = []
    for number in range(2):
        output = standard_artifacts.PushedModel()
        output.uri = str(tmp_path / f"pushed_{number}")
        OncePusherExecutor().Do(inputs, {"pushed_model": [output]}, properties)
        pushed.append(output.get_int_custom_property("pushed"))
    assert pushed == [1, 0]
    (folder,) = versions(serving).values()
    record = read_record(serving, describe(folder)["fingerprint"])
    assert record.spec == "hash"
    assert record.metrics["ctr"]["auc"] > 0.5
    assert {gate["status"] for gate in record.gates} <= {"passed", "not judged"}


def test_a_different_model_is_compared_with_the_blessed_one_and_pushed(end_to_end):
    base = end_to_end.paths.serving("demo")
    first = describe(newest_version(str(base)))["fingerprint"]
    settings = end_to_end.settings
    other = dataclasses.replace(settings, training=dataclasses.replace(settings.training, seed=99))
    run = run_pipeline(other, end_to_end.paths)
    cached = {name for name, step in run.steps.items() if step.cached}
    assert {"LogExampleGen", "StatisticsGen", "SchemaGen", "Transform"} <= cached
    assert not {"Trainer", "Evaluator", "Pusher"} & cached
    baseline = run.steps["latest_blessed_model"].outputs["model"]
    assert [model.id for model in baseline] != [run.artifact("Trainer", "model").id]
    assert int(run.pushed_version) == max(versions(str(base)))
    assert describe(newest_version(str(base)))["fingerprint"] != first


def test_a_training_that_diverges_is_refused_with_the_reason(end_to_end):
    settings = end_to_end.settings
    before = sorted(path.name for path in end_to_end.paths.serving("demo").iterdir())
    training = dataclasses.replace(settings.training, learning_rate=1e30, max_epochs=1)
    with pytest.raises(Exception, match="learning_rate") as caught:
        run_pipeline(dataclasses.replace(settings, training=training), end_to_end.paths)
    assert exit_code(caught.value) == 3
    assert "training.learning_rate" in user_message(caught.value)
    assert sorted(path.name for path in end_to_end.paths.serving("demo").iterdir()) == before


@pytest.mark.long
def test_a_warm_start_continues_from_the_model_of_a_folder(end_to_end):
    """With a learning rate that changes no weight, the new model equals the old one."""
    settings = end_to_end.settings
    folder = end_to_end.run.uri("Trainer", "model_run")
    training = dataclasses.replace(settings.training, warm_start=folder, max_epochs=1, learning_rate=1e-30)
    run = run_pipeline(dataclasses.replace(settings, training=training), end_to_end.paths)
    assert not run.steps["Trainer"].cached
    start = end_to_end.run.artifact("Trainer", "model")
    assert start.id != run.artifact("Trainer", "model").id
    examples = read_examples(end_to_end, "test")[:64]
    uris = [one.uri for one in (start, run.artifact("Trainer", "model"))]
    before, after = (
        graph_session_scores(f"{uri}/Format-Serving", "serving_default", {"examples": examples}) for uri in uris
    )
    for output, scores in before.items():
        assert after[output] == pytest.approx(scores, abs=1e-6)
