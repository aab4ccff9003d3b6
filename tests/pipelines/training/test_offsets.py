"""Offsets of counts on a small panel log: the input pipeline, Keras and all signatures give the same rates."""

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from pipelines.training.input_pipeline import InputPipeline
from serving import raw_features
from serving.export import RAW, SERVING_DEFAULT, TRANSFORMED, export
from serving.replay import warm_up
from serving.servable import Servable
from tfmtl import DatasetSpec
from tfmtl.model_inputs import transformed_inputs
from tfmtl.models import SharedBottom
from transforms.batches.raw_batch import RawBatch
from transforms.examples.from_columns import encode
from transforms.preprocessing import make_preprocessing_fn
from transforms.validation.validate import validate

SPEC = DatasetSpec.from_yaml("""
name: panel
features:
  - {name: shop, kind: categorical}
  - {name: shown, kind: numerical}
  - {name: area, kind: numerical, default: 8}
  - {name: pay, kind: number_sequence, max_length: 4}
tasks:
  - {name: clicks, label: click_count, kind: count, offset: shown}
  - {name: visits, label: visit_count, kind: count, offset: {feature: area, floor: 2}}
  - {name: next_pay, label: pay_7d, kind: count, offset: {feature: pay, mean_of_last: 3, floor: 0.5}}
  - {name: returns, label: return_count, kind: count}
""")
ROWS = [
    # shop, shown, area, pay; then the exposures of clicks, visits and next_pay
    ("a", "12.25", "40", "9|1|2|6", 12.25, 40, 3),
    ("b", "0", "1.5", "100|200|300|400|500", 0.01, 2, 400),
    ("a", None, None, "7", 0.01, 8, 7),
    ("c", "-3", "-3", "5||3|", 0.01, 2, 3),
    ("b", "0.02", "1e6", None, 0.02, 1e6, 0.5),
    ("d", "nan", "nan", "||", 0.01, 8, 0.5),
    ("d", "123456.7", "2", "0|0|0|1", 123456.7, 2, 0.5),
]
COUNTS = ("clicks", "visits", "next_pay", "returns")


@pytest.fixture(scope="module")
def typed():
    names = ("shop", "shown", "area", "pay")
    columns = {name: pa.array([row[i] for row in ROWS], pa.string()) for i, name in enumerate(names)}
    columns |= {label: pa.array([str(i) for i in range(len(ROWS))]) for label in SPEC.labels}
    batch = validate(RawBatch(pa.table(columns), np.arange(len(ROWS)) + 2, "panel.csv"), SPEC)
    assert batch.rejects == ()
    return batch.typed


@pytest.fixture(scope="module")
def graph(typed, tmp_path_factory):
    """Folder of the graph that Transform makes of the rows."""
    labels = {label: tf.io.FixedLenFeature([], tf.int64) for label in SPEC.labels}
    metadata = dataset_metadata.DatasetMetadata(
        schema_utils.schema_from_feature_spec(raw_features.parsing_spec(SPEC) | labels)
    )
    rows = [
        {name: np.array(value[0]) if name in labels else value for name, value in row.items()}
        for row in typed.to_pylist()
    ]
    folder = tmp_path_factory.mktemp("transform")
    with (
        beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp")),
    ):
        graph = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(make_preprocessing_fn(SPEC))
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return str(folder / "graph")


@pytest.fixture(scope="module")
def transform(graph):
    return tft.TFTransformOutput(graph).transform_features_layer()


def exposures():
    return {name: np.float32([row[4 + i] for row in ROWS]) for i, name in enumerate(COUNTS[:3])}


def test_exposures_before_the_floor(typed, transform):
    found = transform(raw_features.parse_examples(SPEC, encode(typed).to_pylist()))
    expected = {
        "clicks": [12.25, 0, 0, -3, 0.02, 0, 123456.7],
        "visits": [40, 1.5, 8, -3, 1e6, 8, 2],
        "next_pay": [3, 400, 7, 3, 0, 0, 1 / 3],
    }
    for task, values in expected.items():
        np.testing.assert_allclose(found[f"{task}__exposure"], np.float32(values), rtol=1e-6, err_msg=task)
    for one in transformed_inputs(SPEC):
        assert found[one.name].dtype == one.dtype
        assert found[one.name].shape == (len(ROWS), *one.shape)


@pytest.mark.parametrize("scale", [0.0, 0.3])
def test_every_route_predicts_the_same_rates(scale, typed, transform, tmp_path):
    """With f = 0 the rate is the exposure; other weights check that the factor is the same by every route."""
    examples = encode(typed).to_pylist()
    with tf.io.TFRecordWriter(str(tmp_path / "rows.gz"), "GZIP") as writer:
        for example in examples:
            writer.write(example)
    batches = InputPipeline(SPEC, transform, batch_size=4).evaluation([str(tmp_path / "rows.gz")])
    model = SharedBottom.from_spec(SPEC, {"shop": 4}, embedding_dim=4, bottom_units=[6], tower_units=[4])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, scale, weight.shape) for weight in model.get_weights()])
    predicted = model.predict(batches, verbose=0)
    for task, exposure in exposures().items():
        if scale == 0:
            np.testing.assert_allclose(predicted[task], exposure, rtol=1e-5, err_msg=task)
    if scale == 0:
        np.testing.assert_array_equal(predicted["returns"], 1.0)

    export(model, transform, str(tmp_path / "1"), warmup_examples=examples)
    servable = Servable(tmp_path / "1")
    assert warm_up(servable) > 0
    raw = raw_features.parse_examples(SPEC, examples)
    features = transform(dict(raw))
    requests = {
        SERVING_DEFAULT: {"examples": np.array(examples, object)},
        RAW: raw_features.to_tensors(SPEC, raw),
        TRANSFORMED: {one.name: features[one.name] for one in transformed_inputs(SPEC)},
    }
    for signature, inputs in requests.items():
        protos = {name: tf.make_tensor_proto(np.asarray(value)) for name, value in inputs.items()}
        for task, rates in servable.predict(signature, protos).items():
            np.testing.assert_allclose(rates, predicted[task], rtol=1e-5, err_msg=f"{signature} {task}")


def test_one_graph_gives_one_fingerprint(graph, tmp_path):
    """Names in the graph differ each time that the output of Transform is loaded."""
    model = SharedBottom.from_spec(SPEC, {"shop": 4}, embedding_dim=4, bottom_units=[6], tower_units=[4])
    layers = [tft.TFTransformOutput(graph).transform_features_layer() for _ in range(2)]
    prints = [export(model, layer, str(tmp_path / f"{i}")) for i, layer in enumerate(layers)]
    assert prints[0] == prints[1]


def test_a_row_without_its_features_has_the_floor(transform):
    raw = raw_features.parse_examples(SPEC, [tf.train.Example().SerializeToString()])
    found = transform(dict(raw))
    assert [float(found[f"{task}__exposure"][0]) for task in COUNTS[:3]] == [0.0, 8.0, 0.0]


def test_a_column_that_no_row_has():
    """Transform passes only the columns that the schema has."""
    inputs = {"shop": tf.constant(["a", "b"])}
    spec = DatasetSpec.from_dict({**SPEC.to_dict(), "features": SPEC.to_dict()["features"][1:]})
    outputs = make_preprocessing_fn(spec)(inputs)
    assert outputs["clicks__exposure"].numpy().tolist() == [0.0, 0.0]
    assert outputs["visits__exposure"].numpy().tolist() == [8.0, 8.0]
    assert outputs["next_pay__exposure"].numpy().tolist() == [0.0, 0.0]
