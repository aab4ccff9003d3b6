"""Panels from simulator to server without TFX: a small M2M trains on five scenarios and scores a sixth one."""

import dataclasses
import pathlib

import apache_beam as beam
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_serving.apis import predict_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.public import tfxio

from pipelines.prediction.rows import read_rows
from pipelines.settings_file import load_settings
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.trainer import vocabulary_sizes
from serving import raw_features
from serving.client import TfmtlClient
from serving.export import export
from serving.rows import Batch, features_of
from serving.server import EmbeddedServer
from tests.pipelines.scoring import graph_session_scores
from tfmtl.metrics import nmae
from tfmtl.models import M2M, model_class
from tfmtl.optimizers import RowSparseAdam
from transforms.ingest.ingest_files import ingest
from transforms.panels.simulator import simulate_panels
from transforms.panels.simulator_options import PanelScenario
from transforms.preprocessing import make_preprocessing_fn

pytestmark = pytest.mark.slow
SETTINGS = load_settings(pathlib.Path(__file__).parents[2] / "examples" / "m2m.yaml")
SPEC = SETTINGS.spec
SIXTH = PanelScenario(20, {"scenario": "story", "format": "video", "audience": 30.0, "price_level": 2.0})
OPTIONS = dataclasses.replace(
    SETTINGS.simulator, rows=9000, scenarios=(*SETTINGS.simulator.scenarios, SIXTH), scenarios_per_entity=2.0
)
BATCH_SIZE, EPOCHS = 128, 4
SMALL = {
    "embedding_dim": 4,
    "position_dim": 4,
    "num_views": 2,
    "view_units": [16],
    "anchor_units": 8,
    "knowledge_units": [8],
    "meta_layers": 2,
    "num_residuals": 1,
}


@dataclasses.dataclass(frozen=True)
class Panels:
    """Data of the six scenarios, the transform, and a trained model.

    Attributes:
        files: TFRecord files of five scenarios by split.
        means: Mean label in the training split by task.
        sixth: CSV of the sixth scenario.
        transform: Function from raw to transformed features.
        sizes: Number of tokens in each vocabulary by feature.
        model: Model trained on the five scenarios.
    """

    files: dict[str, list[str]]
    means: dict[str, float]
    sixth: pathlib.Path
    transform: object
    sizes: dict[str, int]
    model: M2M

    @property
    def inputs(self) -> InputPipeline:
        return InputPipeline(SPEC, self.transform, BATCH_SIZE)


def write_splits(log: pathlib.Path, folder: pathlib.Path) -> dict[str, list[str]]:
    folder.mkdir()
    files = {split: [str(folder / f"{split}.gz")] for split in ("train", "eval", "test")}
    writers = {split: tf.io.TFRecordWriter(paths[0], "GZIP") for split, paths in files.items()}
    for batch in ingest([str(log)], SPEC):
        for split, examples in batch.examples.items():
            for example in examples.to_pylist():
                writers[split].write(example)
    for writer in writers.values():
        writer.close()
    return files


def analyze(files: list[str], folder: pathlib.Path) -> tft.TFTransformOutput:
    """Analyzes the rows as the pipeline does, with a schema without shapes."""
    dtypes = {one.name: one.dtype for one in raw_features.raw_inputs(SPEC)} | dict.fromkeys(SPEC.labels, tf.int64)
    features = {name: tf.io.VarLenFeature(dtype) for name, dtype in dtypes.items()}
    source = tfxio.TFExampleRecord(files, schema=schema_utils.schema_from_feature_spec(features))
    with (
        beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp")),
    ):
        dataset = (pipeline | source.BeamSource(), source.TensorAdapterConfig())
        graph = dataset | tft_beam.AnalyzeDataset(make_preprocessing_fn(SPEC))
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return tft.TFTransformOutput(str(folder / "graph"))


@pytest.fixture(scope="module")
def panels(tmp_path_factory) -> Panels:
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("panels")
    log = simulate_panels(SPEC, OPTIONS, folder / "log").log
    rows = pd.read_csv(log, dtype=str, keep_default_na=False)
    is_sixth = rows["scenario"] == "story"
    rows[~is_sixth].to_csv(folder / "five.csv", index=False)
    rows[is_sixth].to_csv(folder / "sixth.csv", index=False)
    files = write_splits(folder / "five.csv", folder / "splits")
    output = analyze(files["train"], folder)
    sizes = vocabulary_sizes(SPEC, output)
    model = M2M.from_spec(SPEC, sizes, **SMALL)
    train = rows[~is_sixth & (rows["date"] < SPEC.split.eval_from)]
    rate = keras.optimizers.schedules.CosineDecay(8e-3, EPOCHS * -(-len(train) // BATCH_SIZE))
    model.compile(RowSparseAdam(rate, beta_2=0.998, epsilon=1e-9, clipvalue=3.0))
    means = {task.name: train[task.label].astype(float).mean() for task in SPEC.tasks}
    panels = Panels(files, means, folder / "sixth.csv", output.transform_features_layer(), sizes, model)
    history = model.fit(
        panels.inputs.training(files["train"]),
        validation_data=panels.inputs.evaluation(files["eval"]),
        epochs=EPOCHS,
        verbose=0,
    ).history
    assert {"val_loss", "val_clicks_next_week_loss", "val_pay_next_week_loss"} <= set(history)
    assert not any(name.endswith("_auc") for name in history)
    assert history["val_loss"][-1] < history["val_loss"][0]
    return panels


@pytest.fixture(scope="module")
def exported(panels, tmp_path_factory) -> pathlib.Path:
    version = tmp_path_factory.mktemp("serving") / "m2m" / "1"
    examples = list(tf.data.TFRecordDataset(panels.files["train"], "GZIP").take(8).as_numpy_iterator())
    export(panels.model, panels.transform, str(version), warmup_examples=examples, model_name="m2m")
    return version


def labels_and_scores(panels, split):
    labels, scores = {task.name: [] for task in SPEC.tasks}, {task.name: [] for task in SPEC.tasks}
    for features, batch_labels in panels.inputs.evaluation(panels.files[split]):
        for name, values in panels.model.score(features).items():
            labels[name].append(batch_labels[name])
            scores[name].append(values)
    return ({name: np.concatenate(parts) for name, parts in one.items()} for one in (labels, scores))


def test_the_settings_name_m2m():
    assert model_class(SETTINGS.model.name) is M2M


def test_errors_are_smaller_than_those_of_the_mean(panels):
    labels, scores = labels_and_scores(panels, "test")
    for name, values in labels.items():
        error_of_mean = nmae(values, np.full_like(values, panels.means[name]))
        assert nmae(values, scores[name]) < 0.7 * error_of_mean, name


@pytest.fixture(scope="module")
def client(exported):
    with EmbeddedServer({"m2m": exported.parent}) as server, TfmtlClient(server.address, "m2m") as client:
        yield client


@pytest.mark.long
def test_an_unseen_scenario_is_scored_from_its_attributes(panels, exported, client):
    frame = pd.read_csv(panels.sixth, dtype=str, keep_default_na=False)
    inputs = features_of(client.metadata().signatures["raw"])
    assert (inputs["clicks"].kind, inputs["clicks"].width) == ("number", 14)
    scores = client.predict(read_rows(str(panels.sixth), SPEC).parsed)
    examples = [
        row
        for batch in ingest([str(panels.sixth)], SPEC)
        for part in batch.examples.values()
        for row in part.to_pylist()
    ]
    by_examples = graph_session_scores(exported, "serving_default", {"examples": examples})
    parsed = tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.int64) for name in SPEC.labels})
    for task in SPEC.tasks:
        assert len(scores[task.name]) == len(frame) > 500
        np.testing.assert_allclose(np.sort(scores[task.name]), np.sort(by_examples[task.name]), rtol=1e-4)
        labels = parsed[task.label].numpy()
        error_of_mean = nmae(labels, np.full(len(labels), panels.means[task.name]))
        assert nmae(labels, by_examples[task.name]) < error_of_mean, task.name


@pytest.mark.long
def test_attributes_of_an_unseen_scenario_change_its_scores(client):
    row = {
        "scenario": "story", "format": "video", "audience": 30.0, "price_level": 2.0, "business_scale": "small",
        "clicks": [3.0, 5.0, None, 4.0], "pay": [1.0, 2.0], "impressions": [30.0] * 14, "logins": [], "products": 9.0,
    }  # fmt: skip
    others = [{**row, "audience": 4.0}, {**row, "format": "keyword"}, {**row, "scenario": "another name"}]
    for values in client.predict([row, *others]).values():
        assert np.all(np.isfinite(values))
        assert np.all(values > 0)
        assert values[1] != values[0] != values[2]
        assert values[3] == pytest.approx(values[0], rel=1e-5), "unseen names should have the same id"


@pytest.mark.long
def test_the_last_position_of_a_list_is_the_most_recent_day(panels, client):
    """The test follows the values from the request to the input of the model."""
    row = {"scenario": "search", "format": "keyword", "audience": 90.0, "price_level": 3.0}
    histories = [[30.0, 1.0], [None, None, 30.0, 1.0], [1.0, 30.0], [30.0, 1.0, None]]
    rows = [{**row, "clicks": history} for history in histories]
    protos = predict_pb2.PredictRequest().inputs
    Batch(rows, features_of(client.metadata().signatures["raw"])).write(protos, 0, len(rows))
    tensors = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in protos.items()}
    seen = panels.transform(raw_features.from_tensors(SPEC, tensors))
    present = np.asarray(seen["clicks__weights"])
    np.testing.assert_array_equal(present[:, -3:], [[0, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 0]])
    assert not present[:, :-3].any()
    many, one = (1 + round(float(np.log1p(count)) * 6) for count in (30, 1))
    ids = np.asarray(seen["clicks"])[:, -3:]
    assert ids.tolist() == [[0, many, one], [0, many, one], [0, one, many], [many, one, 0]]
    scores = client.predict(rows)["clicks_next_week"]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
