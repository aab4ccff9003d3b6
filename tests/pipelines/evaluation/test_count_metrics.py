"""Errors of counts in TFMA, compared with `tfmtl.metrics` by slice, and the thresholds on them."""

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma

from pipelines.evaluation.count_metrics import NMAE, SMAPE, CountNMAE, CountSMAPE, _Sums, _SumsOfRows
from pipelines.evaluation.eval_config import eval_config
from pipelines.evaluation.results import read_metrics
from pipelines.settings import Thresholds
from tfmtl.features import CategoricalFeature
from tfmtl.metrics import nmae, smape
from tfmtl.spec import DatasetSpec, Task

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "scenario": RNG.choice(["search", "feed", "live"], 500, p=[0.7, 0.25, 0.05]),
        "label": RNG.poisson(3.0, 500).astype("float32"),
        "prediction": RNG.gamma(2.0, 1.5, 500).astype("float32"),
    }
)
ROWS.loc[:20, ["label", "prediction"]] = 0.0
SPEC = DatasetSpec(
    "panel",
    (CategoricalFeature("scenario"),),
    (Task("clicks", "clicks_7d", kind="count"), Task("active", "is_active")),
    scenario="scenario",
)


def test_metrics_equal_those_of_tfmtl():
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="label", prediction_key="prediction")],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["scenario"])],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name=one.__name__, module=one.__module__) for one in (CountNMAE, CountSMAPE)
                ]
            )
        ],
    )
    result = tfma.analyze_raw_data(ROWS, config)
    assert len(result.slicing_metrics) == 4
    for key, by_output in result.slicing_metrics:
        rows = ROWS if not key else ROWS[ROWS["scenario"] == key[0][1]]
        found = {name: value["doubleValue"] for name, value in by_output[""][""].items()}
        assert found[NMAE] == pytest.approx(nmae(rows["label"], rows["prediction"]), rel=1e-6)
        assert found[SMAPE] == pytest.approx(smape(rows["label"], rows["prediction"]), rel=1e-6)


def test_accumulators_merge_from_a_list_and_from_an_iterator():
    parts = [_Sums(1.0, 2.0, 0.5, 3.0), _Sums(4.0, 5.0, 1.5, 1.0), _Sums()]
    combiner = _SumsOfRows(tfma.metrics.MetricKey(NMAE))
    for accumulators in (parts, iter(parts)):
        merged = combiner.merge_accumulators(accumulators)
        assert merged == _Sums(5.0, 7.0, 2.0, 4.0)
    assert list(combiner.extract_output(merged).values()) == [5 / 7]
    assert list(_SumsOfRows(tfma.metrics.MetricKey(SMAPE)).extract_output(merged).values()) == [0.5]
    assert np.isnan(next(iter(combiner.extract_output(_Sums()).values())))


def test_counts_have_errors_with_thresholds_and_binary_tasks_have_auc():
    loose = Thresholds(max_nmae=0.4, max_nmae_rise=0.05, calibration=(0.8, 1.2))
    specs = {spec.output_names[0]: spec for spec in eval_config(SPEC, {"clicks": loose}).metrics_specs}
    assert [metric.class_name for metric in specs["clicks"].metrics] == [
        "CountNMAE",
        "CountSMAPE",
        "Calibration",
        "ExampleCount",
    ]
    assert [metric.class_name for metric in specs["active"].metrics] == [
        "AUC",
        "MeanLabel",
        "Calibration",
        "ExampleCount",
    ]
    (threshold,) = specs["clicks"].metrics[0].per_slice_thresholds
    assert threshold.threshold.value_threshold.upper_bound.value == 0.4
    assert not threshold.threshold.value_threshold.HasField("lower_bound")
    assert threshold.threshold.change_threshold.absolute.value == 0.05
    assert threshold.threshold.change_threshold.direction == tfma.MetricDirection.LOWER_IS_BETTER
    assert not specs["clicks"].metrics[1].per_slice_thresholds
    assert not any(metric.per_slice_thresholds for metric in specs["active"].metrics)


def test_a_single_output_has_no_name_in_tfma():
    """TFMA takes the scores of a single output out of their dictionary."""
    spec = DatasetSpec("one", SPEC.features, SPEC.tasks[:1])
    config = eval_config(spec, {})
    assert config.model_specs[0].label_key == "clicks_7d"
    assert not config.model_specs[0].label_keys
    assert not config.metrics_specs[0].output_names
    assert set(eval_config(SPEC, {}).model_specs[0].label_keys) == {"clicks", "active"}


def test_reads_metrics_of_an_evaluation_whose_config_names_a_former_module(tmp_path):
    """Run folders of earlier versions name modules that have moved since."""
    spec = DatasetSpec("one", SPEC.features, SPEC.tasks[:1], scenario="scenario")
    config = eval_config(spec, {})
    config.model_specs[0].CopyFrom(tfma.ModelSpec(label_key="label", prediction_key="prediction"))
    tfma.analyze_raw_data(ROWS, config, output_path=str(tmp_path))
    path = tmp_path / "eval_config.json"
    text = path.read_text()
    assert "pipelines.evaluation.count_metrics" in text
    path.write_text(text.replace("pipelines.evaluation.count_metrics", "pipelines.count_metrics"))
    overall, *slices = read_metrics(spec, str(tmp_path))
    assert overall.nmae == pytest.approx(nmae(ROWS["label"], ROWS["prediction"]), rel=1e-6)
    assert overall.smape == pytest.approx(smape(ROWS["label"], ROWS["prediction"]), rel=1e-6)
    assert [one.slice for one in slices] == ["feed", "live", "search"]
