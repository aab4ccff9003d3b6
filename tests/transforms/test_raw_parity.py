"""Raw tensors of a client, tf.Examples and rows of a log: the same transformed features for the same row."""

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from serving import protos, raw_features, tensors
from serving.description import ModelDescription
from serving.rows import Batch, features_of
from tfmtl.features import (
    SEQUENCES,
    CategoricalFeature,
    Cross,
    DenseFeature,
    Hashing,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec, Task
from transforms.batches.raw_batch import RawBatch
from transforms.examples.from_columns import encode
from transforms.preprocessing import make_preprocessing_fn
from transforms.validation.validate import validate

SPEC = DatasetSpec(
    "shop",
    (
        CategoricalFeature("user"),
        CategoricalFeature("shop", required=True),
        NumericalFeature("price", max_bucket=8),
        MultiValuedFeature("tags", weights="tag_weights", max_length=3),
        MultiValuedFeature("words", max_length=2),
        SequenceFeature("pages", max_length=3),
        NumberSequenceFeature("clicks", max_length=3, max_bucket=6),
        CategoricalFeature("device", hashed=Hashing(4)),
        MultiValuedFeature("devices", weights="device_weights", max_length=2, vocabulary="device"),
        SequenceFeature("users", max_length=3, vocabulary="user"),
        NumericalFeature("paid", quantiles=3),
        NumberSequenceFeature("daily", max_length=2, quantiles=3),
        DenseFeature("title", length=3),
        DenseFeature("image", length=2, standardize=False),
    ),
    (Task("buy", "bought"),),
    crosses=(Cross("user_device", ("user", "device"), buckets=9), Cross("shop_price", ("shop", "price", "paid"), 7)),
)
NUMBERS = ("price", "tag_weights", "clicks", "device_weights", "paid", "daily", "title", "image")
TOKENS = ("", "a", "b", "c", "unseen")


def random_rows(count, seed):
    """Rows with lists of any length, empty tokens, absent features, and more or fewer weights than tokens."""
    rng = np.random.default_rng(seed)

    def tokens(most):
        return [str(token) for token in rng.choice(TOKENS, rng.integers(0, most + 1))]

    def numbers(most):
        return [
            round(float(n), 2) if rng.random() < 0.8 else None for n in rng.exponential(2, rng.integers(0, most + 1))
        ]

    rows = []
    for _ in range(count):
        row = {"shop": str(rng.choice(TOKENS[1:])), "tags": tokens(5), "devices": tokens(3)}
        for name, column in (("tags", "tag_weights"), ("devices", "device_weights")):
            if rng.random() < 0.9:
                length = len(row[name]) if rng.random() < 0.8 else rng.integers(0, 6)
                row[column] = [round(float(weight), 2) for weight in rng.uniform(0, 2, length)]
        optional = {"user": str(rng.choice(TOKENS)), "price": float(rng.exponential(10)), "words": tokens(4)}
        optional |= {"pages": tokens(5), "clicks": numbers(5), "users": tokens(5), "daily": numbers(3)}
        optional |= {
            name: [round(float(x), 2) for x in rng.normal(0, 2, n)] for name, n in (("title", 3), ("image", 2))
        }
        optional |= {"device": str(rng.choice(TOKENS)), "paid": float(rng.exponential(10))}
        rows.append(row | {name: value for name, value in optional.items() if rng.random() < 0.8})
    return rows


def to_example(row):
    example = tf.train.Example()
    for name, value in row.items():
        values = value if isinstance(value, list) else [value]
        feature = example.features.feature[name]
        if name in NUMBERS:
            feature.float_list.value.extend(float("nan") if v is None else v for v in values)
        else:
            feature.bytes_list.value.extend(v.encode() for v in values)
    return example.SerializeToString()


def raw_tensors(rows):
    """Raw tensors of rows with any number of weights, such as other clients may send."""
    found = {}
    for feature in SPEC.features:
        columns = [feature.name, *filter(None, [getattr(feature, "weights", None)])]
        lists = [[row.get(name) for row in rows] for name in columns]
        lists = [[v if isinstance(v, list) else [] if v is None else [v] for v in values] for values in lists]
        if isinstance(feature, SEQUENCES):
            lists = [[values[-feature.max_length :] for values in one] for one in lists]
            lists = [[[None] * (feature.max_length - len(values)) + values for values in one] for one in lists]
        width = max(1, *(len(values) for one in lists for values in one))
        for name, one in zip(columns, lists, strict=True):
            is_number = name in NUMBERS
            missing, dtype = (float("nan"), np.float32) if is_number else (b"", object)
            dense = np.full((len(rows), width), missing, dtype)
            for i, values in enumerate(one):
                for j, value in enumerate(values):
                    if value is not None:
                        dense[i, j] = value if is_number else value.encode()
            scalar = isinstance(feature, CategoricalFeature | NumericalFeature)
            found[name] = tf.constant(dense[:, 0] if scalar else dense)
    return found


def client_tensors(rows):
    """Raw tensors that the client sends for rows."""
    signature = meta_graph_pb2.SignatureDef()
    for i in raw_features.raw_inputs(SPEC):
        info = signature.inputs[i.name]
        info.dtype = i.dtype.as_datatype_enum
        info.tensor_shape.CopyFrom(tf.TensorShape(i.shape).as_proto())
    request = protos.PredictRequest()
    Batch(rows, features_of(signature), ModelDescription(SPEC)).write(request.inputs, 0, len(rows))
    return {name: tf.constant(tensors.decode(request.inputs[name])) for name in request.inputs}


def validated(rows):
    """Rows as `tfmtl run` reads them from a file, and the indices of those that it does not reject."""

    def text(value):
        if isinstance(value, list):
            return "|".join("" if v is None else str(v) for v in value) if value else None
        return None if value is None else str(value)

    names = [i.name for i in raw_features.raw_inputs(SPEC)]
    columns = {name: pa.array([text(row.get(name)) for row in rows], pa.string()) for name in names}
    columns["bought"] = pa.array(["1"] * len(rows))
    batch = validate(RawBatch(pa.table(columns), np.arange(len(rows)), "rows.csv"), SPEC)
    rejected = {reject.line for reject in batch.rejects}
    return batch.typed, [i for i in range(len(rows)) if i not in rejected]


@pytest.fixture(scope="module")
def transform(tmp_path_factory):
    """The graph that Transform makes of a few rows, saved and loaded again."""
    rows = [{"user": "a", "shop": "b", "tags": ["a", "b"], "words": ["c"], "pages": ["a", "c"], "clicks": [1.0]}] * 3
    others = {"tag_weights": [1.0, 1.0], "users": ["b"], "device": "a", "devices": ["b"], "device_weights": [1.0]}
    vectors = [{"title": [1.0 * i, -2.0, 3.0 * i * i], "image": [0.5, 1.0 * i]} for i in range(3)]
    varied = [{"paid": 5.0 * i, "daily": [1.0 * i], **vectors[i]} for i in range(3)]
    typed, _ = validated([row | others | varied[i] for i, row in enumerate(rows)])
    inputs = {i.name: tf.io.VarLenFeature(i.dtype) for i in raw_features.raw_inputs(SPEC)}
    features = inputs | {"bought": tf.io.FixedLenFeature([], tf.int64)}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(features))
    data = [
        {name: np.array(value[0]) if name == "bought" else value for name, value in row.items()}
        for row in typed.to_pylist()
    ]
    folder = tmp_path_factory.mktemp("transform")
    with (
        beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp")),
    ):
        graph = (pipeline | beam.Create(data), metadata) | tft_beam.AnalyzeDataset(make_preprocessing_fn(SPEC))
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return tft.TFTransformOutput(str(folder / "graph")).transform_features_layer()


def arrays(features):
    return {name: np.asarray(values) for name, values in features.items()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def check(transform, rows):
    examples = arrays(transform(raw_features.parse_examples(SPEC, [to_example(row) for row in rows])))
    assert_equal(arrays(transform(raw_features.from_tensors(SPEC, raw_tensors(rows)))), examples)
    typed, kept = validated(rows)
    assert len(kept) > len(rows) / 4
    of_log = arrays(transform(raw_features.parse_examples(SPEC, encode(typed).to_pylist())))
    examples_of_log = {name: values[kept] for name, values in examples.items()}
    assert_equal(examples_of_log, of_log)
    sent = raw_features.from_tensors(SPEC, client_tensors([rows[i] for i in kept]))
    assert_equal(arrays(transform(sent)), examples_of_log)
    return examples


def test_generated_rows(transform):
    found = check(transform, random_rows(300, 0))
    for name, values in found.items():
        assert len(np.unique(values)) > 1, f"{name} should differ between rows"


@pytest.mark.long
def test_ten_thousand_generated_rows(transform):
    check(transform, random_rows(10_000, 1))


@pytest.mark.parametrize(
    ("tokens", "given", "ids", "weights"),
    [
        (["a", "b"], [0.3], "ab", [0.3, 0]),
        (["a", "", "b"], [0.3, 0.5, 0.7], "ab", [0.3, 0.7]),
        (["a", "", "b"], None, "ab", [1, 1]),
        (["a", "", "b"], [0.3], "ab", [0.3, 0]),
        (["", "b"], [0.3], "b", [1]),
        (["a"], [0.3, 0.5], "a", [0.3]),
        (["", ""], [0.3, 0.5], "", []),
        ([], [0.3], "", []),
    ],
)
def test_weights_at_the_positions_of_their_tokens(transform, tokens, given, ids, weights):
    row = {"shop": "b", "tags": tokens} | ({} if given is None else {"tag_weights": given})
    plain = {"shop": "b", "words": list(ids)[:2]}
    for features in (
        raw_features.parse_examples(SPEC, [to_example(row)]),
        raw_features.from_tensors(SPEC, raw_tensors([row])),
    ):
        found = arrays(transform(features))
        np.testing.assert_allclose(found["tags__weights"], [weights + [0] * (3 - len(weights))])
        expected = arrays(transform(raw_features.from_tensors(SPEC, raw_tensors([plain | {"tags": list(ids)}]))))
        np.testing.assert_array_equal(found["tags"], expected["tags"])


@pytest.mark.parametrize(
    ("title", "is_valid"), [([1.0, 2.0, 3.0], True), ([], True), ([1.0, 2.0], False), ([1.0] * 4, False)]
)
def test_a_vector_of_another_length_is_an_error(transform, title, is_valid):
    rows = [{"shop": "b", "title": [1.0, 0.0, 2.0]}, {"shop": "b", "title": title}]
    examples = [to_example(row) for row in rows]
    if is_valid:
        assert transform(raw_features.parse_examples(SPEC, examples))["title"].shape == (2, 3)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="`title` should have 3 values in every row, or none"):
        raw_features.parse_examples(SPEC, examples)


def test_a_missing_required_value_is_an_error(transform):
    for features in (
        lambda: raw_features.parse_examples(SPEC, [to_example({"shop": ""})]),
        lambda: raw_features.from_tensors(SPEC, raw_tensors([{"shop": ""}])),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`shop` should have a value in every row"):
            features()
