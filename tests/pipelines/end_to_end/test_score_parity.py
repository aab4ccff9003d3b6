"""Equal scores of a row in Keras, in a graph session, in the Evaluator and over gRPC."""

import glob
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from pipelines.evaluation.scoring import Scorer
from pipelines.training.input_pipeline import InputPipeline
from serving import raw_features
from serving.client import PredictionError, TfmtlClient
from serving.server import EmbeddedServer
from tests.pipelines.scoring import graph_session_scores, read_examples
from tfmtl.model_inputs import transformed_inputs

pytestmark = pytest.mark.slow
OUTPUTS = ("ctr", "cvr", "ctcvr")
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def examples(end_to_end):
    return read_examples(end_to_end, "test")[:64]


@pytest.fixture(scope="module")
def transformed(end_to_end, examples):
    """Features of the examples, transformed by the output of Transform."""
    output = tft.TFTransformOutput(end_to_end.run.uri("Transform", "transform_graph"))
    features = output.transform_features_layer()(raw_features.parse_examples(end_to_end.settings.spec, examples))
    return {i.name: features[i.name] for i in transformed_inputs(end_to_end.settings.spec)}


@pytest.fixture(scope="module")
def keras_scores(end_to_end, transformed):
    """Scores of the `.keras` model."""
    path = glob.glob(f"{end_to_end.run.uri('Trainer', 'model_run')}/**/model.keras", recursive=True)[0]
    scores = keras.models.load_model(path).score(transformed)
    return {name: scores[name].numpy() for name in OUTPUTS}


@pytest.fixture(scope="module")
def moved(end_to_end, transformed, keras_scores, tmp_path_factory):
    """The pushed model in another folder, without the original and the output of Transform."""
    version = end_to_end.run.pushed_version
    pushed = end_to_end.paths.serving("demo") / version
    base = tmp_path_factory.mktemp("moved") / "demo"
    shutil.copytree(pushed, base / version)
    hidden = [pathlib.Path(end_to_end.run.uri("Transform", "transform_graph")), pushed]
    for path in hidden:
        path.rename(path.with_name(path.name + "-gone"))
    yield base / version
    for path in hidden:
        path.with_name(path.name + "-gone").rename(path)


@pytest.fixture(scope="module")
def client(moved):
    with EmbeddedServer({"demo": moved.parent}) as server, TfmtlClient(server.address, "demo") as client:
        yield client


def test_the_head_of_clicks_is_calibrated_on_the_eval_split(end_to_end):
    """With the run's scenarios of a few hundred rows, all have the map of all rows."""
    run = end_to_end.run
    model = keras.models.load_model(glob.glob(f"{run.uri('Trainer', 'model_run')}/**/model.keras", recursive=True)[0])
    transform = tft.TFTransformOutput(run.uri("Transform", "transform_graph")).transform_features_layer()
    examples = glob.glob(f"{run.uri('LogExampleGen', 'examples')}/Split-eval/*")
    ((features, labels),) = InputPipeline(model.spec, transform, batch_size=64).evaluation(examples).rebatch(10_000)
    ctr = np.asarray(model.score(features)["ctr"])
    assert len(ctr) > 500
    assert ctr.mean() == pytest.approx(np.mean(labels["click"]), abs=1e-3)
    slopes = model.calibrations["click"].get_weights()[1]
    assert len(np.unique(slopes)) == 1
    assert slopes[0, 0] != 1.0
    assert list(model.calibrations) == ["click"]


def raw_tensors(end_to_end, examples):
    spec = end_to_end.settings.spec
    tensors = raw_features.to_tensors(spec, raw_features.parse_examples(spec, examples))
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def assert_same(scores, expected):
    assert set(scores) == set(OUTPUTS)
    for name in OUTPUTS:
        assert scores[name].shape == expected[name].shape
        np.testing.assert_allclose(scores[name], expected[name], atol=TOLERANCE, err_msg=name)


def test_keras_scores_are_probabilities_and_differ(keras_scores):
    for name in OUTPUTS:
        assert np.all((keras_scores[name] > 0) & (keras_scores[name] < 1))
        assert np.ptp(keras_scores[name]) > 1e-3


def test_a_graph_session_gives_the_scores_with_every_signature(end_to_end, moved, examples, transformed, keras_scores):
    inputs = {
        "serving_default": {"examples": examples},
        "raw": raw_tensors(end_to_end, examples),
        "transformed": {name: tensor.numpy() for name, tensor in transformed.items()},
    }
    for signature, values in inputs.items():
        assert_same(graph_session_scores(moved, signature, values), keras_scores)


def test_grpc_gives_the_scores_of_examples_and_of_rows(end_to_end, client, examples, keras_scores):
    assert_same(client.predict_examples(examples), keras_scores)
    columns = raw_tensors(end_to_end, examples)
    rows = [{name: _plain(values[i]) for name, values in columns.items()} for i in range(len(examples))]
    assert_same(client.predict(rows), keras_scores)


def test_the_evaluator_gives_the_scores(end_to_end, moved, examples, keras_scores, tmp_path):
    path = str(tmp_path / "examples.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
        for example in examples:
            writer.write(example)
    (batch,) = Scorer(end_to_end.settings.spec, str(moved), None).batches(path)
    assert batch.baseline == {}
    assert_same(batch.scores, keras_scores)


def test_unseen_ids_and_missing_features_get_a_score(client, keras_scores):
    unseen = {"user_id": "nobody has this id", "interests": ["0", "new"], "interest_weights": [1.0, 2.0]}
    scores = client.predict([{"scenario": "search"}, {"scenario": "search", "price": 3.0, **unseen}])
    for name in OUTPUTS:
        assert scores[name].shape == (2,)
        assert np.all((scores[name] > 0) & (scores[name] < 1))
    assert scores["ctr"][0] != scores["ctr"][1]


def test_a_missing_required_feature_is_an_error(client):
    with pytest.raises(PredictionError, match="scenario"):
        client.predict([{"user_id": "1"}])
    with pytest.raises(PredictionError, match="scenario"):
        client.predict_examples([tf.train.Example().SerializeToString()])


def _plain(value):
    """Returns a scalar unchanged, and an array as a list without empty strings and NaN."""
    if not isinstance(value, np.ndarray):
        return value
    return [item for item in value.tolist() if item != b"" and item == item]
