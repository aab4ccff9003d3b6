"""Value task from a simulated log to served predictions: calibration, order, the chain's product and equal scores."""

import dataclasses
import glob
import json
import pathlib
import urllib.request

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow_transform as tft

from pipelines.evaluation.logistic_regression import fit_reference
from pipelines.evaluation.results import read_metrics
from pipelines.evaluation.scoring import Scorer
from pipelines.prepared.ground_truth import test_split_indices as split_indices
from pipelines.report.run_report import write_run_report
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings_file import load_settings
from serving import raw_features
from serving.client import TfmtlClient
from serving.server import EmbeddedServer
from tests.pipelines.scoring import graph_session_scores, read_examples
from tfmtl.model_inputs import transformed_inputs
from transforms.simulation.simulator import simulate

pytestmark = [pytest.mark.slow, pytest.mark.long]
EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/value.yaml"
VALUES = ("conditional_value", "expected_value")


@dataclasses.dataclass(frozen=True)
class Finished:
    settings: object
    data: pathlib.Path
    paths: RunPaths
    run: object


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("value")
    settings = load_settings(EXAMPLE, data=str(root / "data"))
    simulate(settings.spec, settings.simulator, root / "data")
    paths = RunPaths(root / "run")
    return Finished(settings, root / "data", paths, run_pipeline(settings, paths))


def test_means_are_calibrated_and_rank_as_well_as_the_linear_model(finished):
    spec, examples = finished.settings.spec, finished.run.uri("LogExampleGen", "examples")
    metrics = {
        one.output.name: one for one in read_metrics(spec, finished.run.uri("Evaluator", "evaluation")) if not one.slice
    }
    reference = fit_reference(spec, examples, finished.paths.root, finished.settings.simulator.rows)
    for output in VALUES:
        assert metrics[output].calibration == pytest.approx(1, abs=0.08)
        assert metrics[output].gini > reference.gini[output] - 0.01
        assert metrics[output].gini > 0.3
    assert finished.run.pushed_version


def test_predictions_agree_with_the_true_means(finished):
    spec = finished.settings.spec
    rows = split_indices(spec, finished.data)
    truth = pd.read_csv(finished.data / "probabilities.csv").iloc[rows]
    files = sorted(glob.glob(f"{finished.run.uri('LogExampleGen', 'examples')}/Split-test/*"))
    base = finished.paths.serving("value") / finished.run.pushed_version
    batches = [one for file in files for one in Scorer(spec, str(base), None).batches(file)]
    scores = {name: np.concatenate([one.scores[name] for one in batches]) for name in VALUES}
    labels = {name: np.concatenate([one.labels[name] for one in batches]) for name in ("buy", "revenue")}
    assert len(labels["buy"]) == len(truth)
    # The shards do not have the order of the log, so that means are compared.
    assert scores["expected_value"].mean() == pytest.approx(truth["expected_value"].mean(), rel=0.08)
    bought = np.flatnonzero(labels["buy"] == 1)
    for output, rows in (("expected_value", np.arange(len(truth))), ("conditional_value", bought)):
        for part in np.array_split(rows[np.argsort(scores[output][rows])], 5):
            values = labels["revenue"][part]
            error = values.std() / np.sqrt(len(part))
            assert abs(scores[output][part].mean() - values.mean()) < 0.15 * values.mean() + 3 * error


def test_a_raw_row_has_the_same_score_by_every_route_and_the_product_holds(finished):
    spec, run = finished.settings.spec, finished.run
    examples = read_examples(finished, "test")[:40]
    raw = raw_features.parse_examples(spec, examples)
    transformed = tft.TFTransformOutput(run.uri("Transform", "transform_graph")).transform_features_layer()(raw)
    path = glob.glob(f"{run.uri('Trainer', 'model_run')}/**/model.keras", recursive=True)[0]
    model = keras.models.load_model(path)
    inputs = {i.name: transformed[i.name] for i in transformed_inputs(spec)}
    expected = {name: values.numpy() for name, values in model.score(inputs).items()}
    assert list(expected) == [output.name for output in spec.outputs]
    np.testing.assert_allclose(expected["expected_value"], expected["ctcvr"] * expected["conditional_value"], rtol=1e-5)
    assert np.ptp(expected["conditional_value"]) > 5
    base = finished.paths.serving("value") / run.pushed_version
    columns = {name: tensor.numpy() for name, tensor in raw_features.to_tensors(spec, raw).items()}
    rows = [{name: values[i] for name, values in columns.items()} for i in range(len(examples))]
    plain = [{name: _text(value) for name, value in row.items()} for row in rows]
    every = list(range(len(rows)))
    complete = [i for i in every if None not in plain[i].values()]  # JSON has no NaN.
    found = [
        graph_session_scores(base, "serving_default", {"examples": examples}),
        graph_session_scores(base, "raw", columns),
    ]
    with EmbeddedServer({"value": base.parent}, rest_port=0) as server, TfmtlClient(server.address, "value") as client:
        found += [client.predict_examples(examples), client.predict(rows), _rest(server, [plain[i] for i in complete])]
    assert len(complete) > 10
    for scores, own in zip(found, [*[every] * 4, complete], strict=True):
        assert set(scores) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(scores[name], values[own], rtol=1e-5, err_msg=name)


def test_the_report_shows_the_values(finished):
    page = pathlib.Path(write_run_report(finished.paths.root)).read_text()
    for text in ("Tweedie regression", "normalized Gini coefficient", "Gini of expected_value", "Gini by scenario"):
        assert text in page, text


def _text(value):
    return value.decode() if isinstance(value, bytes) else None if value != value else float(value)


def _rest(server, rows):
    body = json.dumps({"signature_name": "raw", "instances": rows}).encode()
    request = urllib.request.Request(f"http://{server.rest_address}/v1/models/value:predict", body)
    with urllib.request.urlopen(request) as answer:
        predictions = json.load(answer)["predictions"]
    return {name: np.array([one[name] for one in predictions]) for name in predictions[0]}
