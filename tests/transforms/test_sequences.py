"""Sequences, from CSV to ids and weights: values keep their positions, the most recent one last."""

import pathlib

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from serving import raw_features
from tfmtl.features import MultiValuedFeature, NumberSequenceFeature, SequenceFeature
from tfmtl.model_inputs import transformed_inputs
from tfmtl.spec import DatasetSpec, Task
from transforms.batches.raw_batch import RawBatch
from transforms.examples.from_columns import encode
from transforms.preprocessing import make_preprocessing_fn
from transforms.validation.validate import validate

SPEC = DatasetSpec(
    "panel",
    (
        NumberSequenceFeature("clicks", max_length=4, scale=2.0, max_bucket=6),
        NumberSequenceFeature("change", max_length=3, separator=" ", scale=1.0, min_bucket=-3, max_bucket=3),
        SequenceFeature("campaign", max_length=3),
        MultiValuedFeature("tags", max_length=3),
    ),
    (Task("next", "next_clicks", kind="count"),),
)
NAMES = ("clicks", "change", "campaign", "tags")
NAN = float("nan")


def validated(*rows):
    """Validates rows of `(clicks, change, campaign, tags)`, whose label is 1."""
    columns = {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(NAMES)}
    columns["next_clicks"] = pa.array(["1"] * len(rows))
    return validate(RawBatch(pa.table(columns), np.arange(len(rows)) + 2, "panel.csv"), SPEC)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3|4|5", [3, 4, 5]),
        ("|3||nan|0|", [NAN, 3, NAN, NAN, 0, NAN]),
        ("1e3|.5|-2", [1000, 0.5, -2]),
        ("7", [7]),
        ("||", None),
        ("nan", None),
        (None, None),
    ],
)
def test_numbers_of_a_sequence_are_parsed(text, values):
    batch = validated((text, "1", "a", "x"))
    assert batch.rejects == ()
    (found,) = batch.typed.to_pydict()["clicks"]
    if values is None:
        assert found is None
    else:
        np.testing.assert_array_equal(np.array(found, "float32"), np.array(values, "float32"))
    assert batch.typed.column("clicks").type == pa.list_(pa.float32())


@pytest.mark.parametrize("text", ["1|x", "inf|1", "1,2", "1|2 3", "1e39"])
def test_rejects_a_sequence_with_an_invalid_number(text):
    (reject,) = validated(("1", "1", "a", "x"), (text, "2", "a", "x")).rejects
    assert (reject.line, reject.reason) == (3, "not_a_number")
    assert reject.detail == f"clicks should be a list of finite numbers. Received: {text!r}"


def test_a_rejected_row_does_not_shift_the_others():
    batch = validated(("1|2", "1", "a", "x"), ("1|x|3", "1", "a", "x"), ("4", "1", "a", "x"))
    assert batch.typed.to_pydict()["clicks"] == [[1, 2], [4]]


def test_empty_tokens_are_kept_in_sequences_and_dropped_in_multi_valued_features():
    rows = validated(("1", "1", "a||b", "a||b"), ("1", "1", "||", "||"), ("1", "1", "|c", "|c")).typed.to_pydict()
    assert rows["campaign"] == [[b"a", b"", b"b"], None, [b"", b"c"]]
    assert rows["tags"] == [[b"a", b"b"], None, [b"c"]]


@pytest.fixture(scope="module")
def transform(tmp_path_factory):
    """The graph that Transform makes of three rows, saved and loaded again."""
    rows = validated(("1", "1", "a|b|b", "a|b"), ("1", "1", "b||c", "b"), ("1", "1", None, "b")).typed
    features = raw_features.parsing_spec(SPEC) | {"next_clicks": tf.io.FixedLenFeature([], tf.int64)}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(features))
    data = [
        {name: np.array(value[0]) if name == "next_clicks" else value for name, value in row.items()}
        for row in rows.to_pylist()
    ]
    folder = tmp_path_factory.mktemp("transform")
    with (
        beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp")),
    ):
        dataset = (pipeline | beam.Create(data), metadata)
        graph = dataset | tft_beam.AnalyzeDataset(make_preprocessing_fn(SPEC))
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    output = tft.TFTransformOutput(str(folder / "graph"))
    vocabulary = pathlib.Path(output.vocabulary_file_by_name("campaign")).read_text().split()
    assert vocabulary == ["b", "c", "a"], "an absent position is not a token"
    return output.transform_features_layer()


def transformed(transform, rows):
    return {
        name: np.asarray(value)
        for name, value in transform(raw_features.parse_examples(SPEC, encode(rows).to_pylist())).items()
    }


def bucket(value, scale, low, high):
    """Log rounding in plain Python."""
    return int(np.clip(np.sign(value) * round(np.log1p(abs(value)) * scale), low, high)) - low + 1


ROWS = [("3|0||7|9", "-5 2.5", "c|zzz|a", "b"), ("8|", "0", "b", None), (None, None, None, None), ("||", "", "a||", "")]
CLICKS = [[0, NAN, 7, 9], [NAN, NAN, 8, NAN], [NAN] * 4, [NAN] * 4]
CHANGE = [[NAN, -5, 2.5], [NAN, NAN, 0], [NAN] * 3, [NAN] * 3]
CAMPAIGN = [["c", "zzz", "a"], ["", "", "b"], ["", "", ""], ["a", "", ""]]


def expected():
    """Ids and weights of `ROWS`; the vocabulary of `campaign` is b, c, a after one id for unseen tokens."""
    outputs = {}
    for name, values, settings in (("clicks", CLICKS, (2, 0, 6)), ("change", CHANGE, (1, -3, 3))):
        outputs[name] = [[0 if np.isnan(v) else bucket(v, *settings) for v in row] for row in values]
        outputs[name + "__weights"] = [[float(not np.isnan(v)) for v in row] for row in values]
    ids = {"": 0, "zzz": 0, "b": 1, "c": 2, "a": 3}
    outputs["campaign"] = [[ids[token] for token in row] for row in CAMPAIGN]
    outputs["campaign__weights"] = [[float(token != "") for token in row] for row in CAMPAIGN]
    return outputs


def test_ids_and_weights_of_sequences(transform):
    outputs = transformed(transform, validated(*ROWS).typed)
    for name, values in expected().items():
        np.testing.assert_array_equal(outputs[name], values, err_msg=name)
    for one in transformed_inputs(SPEC):
        assert outputs[one.name].dtype == one.dtype
        assert outputs[one.name].shape == (len(ROWS), *one.shape)
    np.testing.assert_array_equal(outputs["tags__weights"], [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("row", range(len(ROWS)))
def test_ids_do_not_depend_on_other_rows_of_the_batch(transform, row):
    outputs = transformed(transform, validated(ROWS[row]).typed)
    for name, values in expected().items():
        np.testing.assert_array_equal(outputs[name], values[row : row + 1], err_msg=name)


def test_named_tensors_and_examples_give_the_same_ids(transform):
    parsed = raw_features.parse_examples(SPEC, encode(validated(*ROWS).typed).to_pylist())
    tensors = raw_features.to_tensors(SPEC, parsed)
    np.testing.assert_array_equal(tensors["clicks"], np.array(CLICKS, "float32"))
    np.testing.assert_array_equal(tensors["campaign"], np.array(CAMPAIGN, "bytes"))
    outputs = transform(raw_features.from_tensors(SPEC, tensors))
    for name, values in expected().items():
        np.testing.assert_array_equal(outputs[name], values, err_msg=name)


def test_infinite_numbers_fall_in_the_outermost_buckets(transform):
    tensors = {
        "clicks": tf.constant([[NAN, float("inf"), 0, 1e30]]),
        "change": tf.constant([[float("-inf"), NAN, float("inf")]]),
        "campaign": tf.constant([["", "", ""]]),
        "tags": tf.constant([[""]]),
    }
    outputs = transform(raw_features.from_tensors(SPEC, tensors))
    np.testing.assert_array_equal(outputs["clicks"], [[0, 7, 1, 7]])
    np.testing.assert_array_equal(outputs["change"], [[1, 0, 7]])


def test_columns_that_the_log_lacks_are_missing_in_every_row():
    spec = DatasetSpec("panel", (SPEC.feature("clicks"),), SPEC.tasks)
    labels = tf.SparseTensor([[0, 0], [1, 0]], [1, 2], [2, 1])
    outputs = make_preprocessing_fn(spec)({"next_clicks": labels})
    np.testing.assert_array_equal(outputs["clicks"], np.zeros((2, 4)))
    np.testing.assert_array_equal(outputs["clicks__weights"], np.zeros((2, 4)))
