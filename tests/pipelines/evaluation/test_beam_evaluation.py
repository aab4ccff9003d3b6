"""Evaluation of files by Beam against the rows in memory, TFMA, and exact GAUC; the files that TFMA opens."""

import dataclasses

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.evaluation import beam_evaluation, scoring
from pipelines.evaluation.beam_evaluation import EvaluateFiles
from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.records import read_measured
from pipelines.evaluation.tfma_files import write_tfma_files
from tests.pipelines.evaluation.scored_cases import SPEC, batch, save_model, write_examples
from tfmtl.metrics import gauc


@pytest.fixture(scope="module")
def whole():
    return batch()


@pytest.fixture(scope="module")
def folder(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    paths = write_examples(whole, folder)
    models = [save_model(folder / name, name) for name in ("new", "old")]
    return paths, models, folder


def evaluated(paths, models, folder):
    with beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline:
        _ = pipeline | beam.Create(paths) | EvaluateFiles(SPEC, *models, str(folder))
    return {(one.output, one.slice): one for one in read_measured(str(folder))}


@pytest.fixture(scope="module")
def found(folder):
    paths, models, directory = folder
    return evaluated(paths, models, directory / "found")


def test_rows_added_in_small_pieces_give_the_same_metrics(folder, found, tmp_path, monkeypatch):
    """The files have 1,000 rows, so that pieces end within files and between them."""
    monkeypatch.setattr(scoring, "BATCH_ROWS", 300)
    monkeypatch.setattr(beam_evaluation, "_ROWS", 700)
    paths, models, _ = folder
    pieces = evaluated(paths, models, tmp_path / "found")
    assert pieces.keys() == found.keys()
    for key, one in pieces.items():
        for name, value in dataclasses.asdict(one).items():
            expected = getattr(found[key], name)
            assert value == (pytest.approx(expected, rel=1e-9, nan_ok=True) if isinstance(value, float) else expected)


def test_equals_the_evaluation_of_the_rows_in_memory(whole, found):
    evaluation = Evaluation(SPEC)
    evaluation.add(whole)
    expected = {(one.output, one.slice): one for one in evaluation.measured()}
    assert found.keys() == expected.keys()
    for key, one in found.items():
        for name, value in dataclasses.asdict(one).items():
            # Blocks are made of a hash of the user, so that standard errors are other estimates of the same.
            if isinstance(value, float) and "error" not in name and "gauc" not in name:
                assert value == pytest.approx(getattr(expected[key], name), rel=1e-6, nan_ok=True), name
    assert found["ctr", ""].auc_error == pytest.approx(expected["ctr", ""].auc_error, rel=0.4)


def test_gauc_is_the_exact_one(whole, found):
    clicked = whole.labels["clicked"] == 1
    bought = whole.labels["bought"]
    cases = [
        ("ctr", whole.labels["clicked"], slice(None)),
        ("buy_given_click", bought, clicked),
        ("buy", bought, slice(None)),
    ]
    for output, labels, rows in cases:
        groups = whole.groups[rows]
        assert found[output, ""].gauc == pytest.approx(gauc(labels[rows], whole.scores[output][rows], groups))
        assert found[output, ""].baseline_gauc == pytest.approx(
            gauc(labels[rows], whole.baseline[output][rows], groups)
        )


def test_equals_tfma(whole, found, tmp_path):
    log = pd.DataFrame({"label": whole.labels["clicked"], "prediction": whole.scores["ctr"], "page": whole.scenarios})
    log["label"] = log["label"].astype("float32")
    names = ["AUC", "Calibration", "MeanLabel", "ExampleCount", "BinaryCrossEntropy"]
    configs = [tfma.MetricConfig(class_name=name) for name in names]
    configs[0].config = '{"num_thresholds": 10000}'
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="label", prediction_key="prediction")],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["page"])],
        metrics_specs=[tfma.MetricsSpec(metrics=configs)],
    )
    result = tfma.analyze_raw_data(log, config, output_path=str(tmp_path))
    checked = 0
    for key, by_output in result.slicing_metrics:
        name = "".join(value.decode() if isinstance(value, bytes) else value for _, value in key)
        if key and not name:
            continue
        expected = {metric: value["doubleValue"] for metric, value in by_output[""][""].items()}
        one = found["ctr", name]
        assert one.rows == expected["example_count"]
        assert one.calibration == pytest.approx(expected["calibration"], rel=1e-5)
        assert one.mean_label == pytest.approx(expected["mean_label"], rel=1e-5)
        assert one.log_loss == pytest.approx(expected["binary_crossentropy"], rel=1e-5)
        if name != "only clicks":
            assert one.auc == pytest.approx(expected["auc"], abs=1e-3)
        checked += 1
    assert checked == 4


def test_tfma_opens_the_files(found, tmp_path):
    write_tfma_files(SPEC, str(tmp_path), list(found.values()), is_blessed=True, has_baseline=True)
    assert tfma.load_validation_result(str(tmp_path)).validation_ok
    both = tfma.load_eval_results([str(tmp_path)], model_name="candidate").get_results()
    both += tfma.load_eval_results([str(tmp_path)], model_name="baseline").get_results()
    for result, attribute in zip(both, ("auc", "baseline_auc"), strict=True):
        metrics = {"".join(str(value) for _, value in key): values for key, values in result.slicing_metrics}
        assert set(metrics) == {"", "home", "search", "only clicks"}
        value = metrics["search"]["ctr"][""]["auc"]["doubleValue"]
        assert value == pytest.approx(getattr(found["ctr", "search"], attribute))
        assert "auc" not in metrics["only clicks"]["ctr"][""]
        assert np.isfinite(metrics[""]["pay"][""]["calibration"]["doubleValue"])
    write_tfma_files(SPEC, str(tmp_path), list(found.values()), is_blessed=False, has_baseline=False)
    assert not tfma.load_validation_result(str(tmp_path)).validation_ok
    assert tfma.load_eval_result(str(tmp_path)).slicing_metrics
