"""Report of a run: its figures and tables against the artifacts that they come from."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score

from pipelines.cli import main
from pipelines.evaluation.records import read_measured
from pipelines.report.feature_effects import feature_effects
from pipelines.report.run_data import read_run_data
from pipelines.report.run_report import run_page, write_run_report
from pipelines.runners.history.runs import read_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(end_to_end):
    return read_run_data(end_to_end.paths.root, read_runs(end_to_end.paths.root)[0])


@pytest.fixture(scope="module")
def effects(data):
    return feature_effects(data.settings.spec, data.model, data.test_files)


@pytest.fixture(scope="module")
def page(data, effects):
    return run_page(data, effects)


@pytest.fixture(scope="module")
def specs(page):
    return json.loads(re.search(r'<script id="figure-specs"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def rows(spec, *fields):
    """Returns the rows of a figure's data that have the fields."""
    return [row for values in spec["datasets"].values() for row in values if set(fields) <= set(row)]


def measured(end_to_end):
    return {(one.output, one.slice): one for one in read_measured(end_to_end.run.uri("Evaluator", "evaluation"))}


def test_curves_have_the_metrics_of_the_evaluator(end_to_end, data, specs):
    for index, output in enumerate(data.settings.spec.outputs):
        one = measured(end_to_end)[output.name, ""]
        points = rows(specs[f"roc-{index}"], "threshold")
        x, y = ([p[name] for p in points] for name in ("false_positive_rate", "true_positive_rate"))
        assert area(x, y) == pytest.approx(one.auc, abs=1e-3)
        bins = rows(specs[f"reliability-{index}"], "rate", "rows")
        assert sum(b["rows"] for b in bins) == one.rows
        assert sum(b["rate"] * b["rows"] for b in bins) == pytest.approx(one.positives)
        assert sum(b["mean_score"] * b["rows"] for b in bins) / one.rows == pytest.approx(one.mean_score, rel=2e-3)


def test_training_curves_are_the_history(end_to_end, specs):
    folder = end_to_end.run.uri("Trainer", "model_run")
    with open(f"{folder}/history.json") as file:
        history = json.load(file)
    losses = rows(specs["loss-1"], "loss")
    assert [row["loss"] for row in losses if row["split"] == "train"] == history["loss"]
    assert [row["loss"] for row in losses if row["split"] == "eval"] == history["val_loss"]
    (kept,) = rows(specs["loss-1"], "kept")
    assert kept["epoch"] == np.argmin(history["val_loss"]) + 1


def test_scenarios_are_those_of_the_evaluator(end_to_end, specs):
    found = {(row["output"], row["scenario"]): row["value"] for row in rows(specs["scenarios-auc"], "scenario")}
    expected = {key: one.auc for key, one in measured(end_to_end).items() if key[1] and not np.isnan(one.auc)}
    assert found == pytest.approx(expected)


def test_heat_map_is_what_the_model_computes(end_to_end, data, specs):
    """The mean weights of the gates, by the saved Keras model on transformed rows of the eval split."""
    import glob

    import tensorflow_transform as tft

    from pipelines.training.input_pipeline import InputPipeline
    from tfmtl.health.evaluate import ROWS

    folder = end_to_end.run.uri("Trainer", "model_run")
    model = keras.saving.load_model(f"{folder}/model.keras", compile=False)
    transform = tft.TFTransformOutput(end_to_end.run.uri("Transform", "transform_graph")).transform_features_layer()
    files = glob.glob(f"{end_to_end.run.uri('LogExampleGen', 'examples')}/Split-eval/*")
    reader = InputPipeline(data.settings.spec, transform, 256)
    weights = [model.inspect(features)["gate/click"] for features, *_ in reader.first_rows(files, ROWS)]
    expected = np.concatenate([np.asarray(one) for one in weights])[:ROWS].mean(axis=0)
    cells = [row["mean"] for row in rows(specs["mechanism-0"], "mean") if row["row"] == "gate of click"]
    assert cells == pytest.approx(expected, abs=1e-3)


def test_permutation_importance_by_the_signature_of_examples(data, effects):
    """The same permutations in tf.Examples, which the signature of TensorFlow Serving scores."""
    records = list(tf.data.TFRecordDataset(data.test_files, compression_type="GZIP").take(effects.rows))
    examples = [tf.train.Example.FromString(record.numpy()) for record in records]
    assert len(examples) == effects.rows
    labels = np.array([one.features.feature["click"].int64_list.value[0] for one in examples])
    score = tf.saved_model.load(data.model).signatures["serving_default"]
    rng, before, found = np.random.default_rng(0), None, []
    before = roc_auc_score(labels, score(tf.constant([e.SerializeToString() for e in examples]))["ctr"].numpy())
    for feature in data.settings.spec.features[:3]:
        for _ in range(2):
            order = rng.permutation(len(examples))
            changed = []
            for one, other in zip(examples, order, strict=True):
                copy = tf.train.Example.FromString(one.SerializeToString())
                copy.features.feature[feature.name].CopyFrom(examples[other].features.feature[feature.name])
                changed.append(copy.SerializeToString())
            found.append(before - roc_auc_score(labels, score(tf.constant(changed))["ctr"].numpy()))
    own = {one.feature: one for one in effects.importances if one.output == "ctr"}
    for index, feature in enumerate(data.settings.spec.features[:3]):
        pair = found[2 * index : 2 * index + 2]
        one = own[feature.name]
        assert (one.loss, one.lowest, one.highest) == pytest.approx((np.mean(pair), min(pair), max(pair)), abs=1e-6)


def test_partial_dependence_is_a_mean_of_scores(data, effects):
    dependence = effects.dependences[0]
    importances = {}
    for one in effects.importances:
        importances[one.feature] = max(importances.get(one.feature, 0), one.loss)
    singles = [f.name for f in data.settings.spec.features if f.name != "interests"]
    assert dependence.feature == max(singles, key=lambda name: importances[name])
    assert len(dependence.values) == len(dependence.means["ctr"])
    for output in ("ctr", "cvr", "ctcvr"):
        assert all(0 < mean < 1 for mean in dependence.means[output])


def test_rejected_rows_and_columns_are_shown(end_to_end, page):
    for reason in set(end_to_end.bad_lines.values()):
        assert f"rejected, {reason}:" in page
    for feature in end_to_end.settings.spec.features:
        assert f">{feature.name}<" in page


def test_report_of_an_old_run_leaves_out_what_was_removed(data):
    import dataclasses

    nothing = dataclasses.replace(
        data, scores={}, measured=(), gates=(), history={}, profiles=(), health=(), statistics=None, rows=None
    )
    page = run_page(nothing, None)
    titles = re.findall(r"<h2 [^>]*>(.*?)</h2>", page)
    assert titles == ["Data", "Cost", "Settings"]


def test_report_and_index_are_files(end_to_end):
    path = write_run_report(end_to_end.paths.root)
    assert path == end_to_end.paths.root / "report.html"
    assert path.stat().st_size < 5_000_000
    parent = end_to_end.paths.root.parent
    result = CliRunner().invoke(main, ["ui", str(parent)])
    assert result.exit_code == 0, result.output
    links = re.findall(r'<td[^>]*><a href="([^"]+)"', (parent / "index.html").read_text())
    newest = read_runs(end_to_end.paths.root)[-1].number  # Other tests of this folder add runs.
    assert f"run/reports/run_{newest:04d}.html" in links
    assert all((parent / link).is_file() for link in links)


def test_mistakes_are_short(tmp_path):
    for arguments in (["report", str(tmp_path)], ["ui", str(tmp_path)]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "Received:" in result.output
        assert len(result.output.splitlines()) <= 3
