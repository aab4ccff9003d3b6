"""One row, one score: read from a file by the pipeline, as a tf.Example, as raw tensors, and by the client."""

import csv
import io
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from serving.client import TfmtlClient
from serving.export import RAW, SERVING_DEFAULT, export
from serving.servable import Servable
from serving.server import EmbeddedServer
from tfmtl import DatasetSpec
from tfmtl.models import SharedBottom
from transforms.batches.raw_batch import RawBatch
from transforms.examples.from_columns import encode
from transforms.preprocessing import make_preprocessing_fn
from transforms.validation.validate import validate

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical}
  - {name: shop, kind: categorical, default: null, num_oov: 3}
  - {name: price, kind: numerical, min_bucket: -8}
  - {name: tags, kind: multi_valued, separator: ";", weights: tag_weights, max_length: 4, num_oov: 2}
  - {name: topics, kind: multi_valued, max_length: 3}
  - {name: history, kind: sequence, separator: " ", max_length: 3}
  - {name: days, kind: number_sequence, max_length: 3}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
""")
VOCABULARY_FEATURES = ("user", "shop", "tags", "topics", "history")
VOCABULARY = ("1", "2", "3", "u1", "u2", "u3", "ü")
NAMES = ("user", "shop", "price", "tags", "tag_weights", "topics", "history", "days")
OUTPUTS = ("ctr", "cvr", "ctcvr")


def draw_rows(rng, count, valid=False):
    """Returns rows with missing values, lists of any length, empty tokens, and weights; valid ones fit their tokens."""

    def tokens(most):
        return [str(rng.choice(["", "1", "2", "3", "7", "new", "ü"])) for _ in range(rng.integers(0, most))]

    def numbers(number):
        return [float(np.float32(rng.normal(0, 2))) for _ in range(number)]

    rows = []
    for _ in range(count):
        row = {"user": f"u{rng.integers(9)}", "shop": str(rng.integers(9)), "price": float(rng.integers(-9, 99))}
        row |= {"tags": tokens(7), "topics": tokens(6), "history": tokens(6), "days": numbers(rng.integers(0, 6))}
        if valid and row["tags"] == [""]:  # A file has no such list: an empty text is a missing value.
            row["tags"] = ["1"]
        row["tag_weights"] = numbers(len(row["tags"]))
        kind = rng.integers(4)
        if not valid and kind == 0:
            row["tag_weights"] = []
        elif not valid and kind == 1:
            row["tag_weights"] = numbers(rng.integers(0, 7))
        elif not valid and kind == 2:
            row["tag_weights"] = [w if rng.random() < 0.6 else float("nan") for w in row["tag_weights"]]
        if rng.random() < 0.3:
            row["days"] = [day if rng.random() < 0.6 else float("nan") for day in row["days"]]
        missing = [name for name in row if rng.random() < 0.1]
        missing += ["tag_weights"] if "tags" in missing else ["tags"] if "tag_weights" in missing and valid else []
        rows.append({name: value for name, value in row.items() if name not in missing})
    return rows


def to_example(row):
    feature = {}
    for name, value in row.items():
        values = value if isinstance(value, list) else [value]
        if name in ("price", "tag_weights", "days"):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[item.encode() for item in values]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def to_raw(rows):
    """Returns one tensor for each feature: lists are padded on the right, sequences on the left."""
    width = max(len(row.get(name, [])) for row in rows for name in ("tags", "tag_weights", "topics"))

    def matrix(name, padding, length=None):
        if length is None:
            padded = [(row.get(name, []) + [padding] * width)[:width] for row in rows]
        else:
            padded = [([padding] * length + row.get(name, []))[-length:] for row in rows]
        return np.array(padded, np.float32 if padding != "" else object).reshape(len(rows), length or width)

    nan = float("nan")
    return {
        "user": np.array([row.get("user", "") for row in rows], object),
        "shop": np.array([row.get("shop", "") for row in rows], object),
        "price": np.array([row.get("price", nan) for row in rows], np.float32),
        "tags": matrix("tags", ""),
        "tag_weights": matrix("tag_weights", nan),
        "topics": matrix("topics", ""),
        "history": matrix("history", "", 3),
        "days": matrix("days", nan, 3),
    }


def to_csv(rows):
    """Returns the fields of each row as texts, as a CSV file has them."""

    def text(name, value):
        if not isinstance(value, list):
            return str(value)
        separator = {"tags": ";", "tag_weights": ";", "history": " "}.get(name, "|")
        return separator.join("" if item != item else str(item) for item in value)

    return [{name: text(name, row[name]) if name in row else "" for name in NAMES} for row in rows]


def pipeline_examples(rows):
    """Returns the tf.Examples that the pipeline writes for rows of a file, and the indices of the rows it accepts."""
    texts = to_csv(rows)
    columns = {name: pa.array([row[name] or None for row in texts], pa.string()) for name in NAMES}
    columns |= {label: pa.array(["0"] * len(rows)) for label in SPEC.labels}
    validated = validate(RawBatch(pa.table(columns), np.arange(len(rows)), "rows.csv"), SPEC)
    return encode(validated.typed), validated.raw.lines


class Transform(tf.Module):
    """The transform of `SPEC` with given vocabularies, as Transform saves it, without an analysis of rows."""

    def __init__(self, folder):
        super().__init__()
        for name in VOCABULARY_FEATURES:
            (folder / name).write_text("".join(f"{token}\n" for token in VOCABULARY))
        self.tables = {}
        self._preprocess = make_preprocessing_fn(SPEC, str(folder))

    def __call__(self, features):
        with mock.patch.object(tft, "make_and_track_object", self._track):
            return self._preprocess(features)

    def _track(self, make, name):
        if name not in self.tables:
            with tf.init_scope():
                self.tables[name] = make()
        return self.tables[name]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export of a model with random weights."""
    folder = tmp_path_factory.mktemp("one_score")
    sizes = dict.fromkeys(VOCABULARY_FEATURES, len(VOCABULARY))
    model = SharedBottom.from_spec(SPEC, sizes, embedding_dim=4, bottom_units=[6], tower_units=[4])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    export(model, Transform(folder), str(folder / "served" / "1"), warmup_examples=[b""])
    return folder / "served"


@pytest.fixture(scope="module")
def scores(exported):
    """Scores of a request to a signature."""
    servable = Servable(exported / "1")

    def score(signature, inputs):
        return servable.predict(signature, {name: tf.make_tensor_proto(value) for name, value in inputs.items()})

    return score


@pytest.fixture(scope="module")
def client(exported):
    with EmbeddedServer({"shop": exported}) as server, TfmtlClient(server.address, "shop") as opened:
        yield opened


def assert_equal(found, expected):
    assert set(found) == set(expected) == set(OUTPUTS)
    for name in OUTPUTS:
        assert np.isfinite(expected[name]).all()
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_raw_tensors_and_examples(scores, count):
    """Weights that do not fit their tokens, which a file's rows may not have, count alike too."""
    rows = draw_rows(np.random.default_rng(count), count)
    examples = scores(SERVING_DEFAULT, {"examples": [to_example(row) for row in rows]})
    assert_equal(scores(RAW, to_raw(rows)), examples)
    assert len(np.unique(examples["ctcvr"])) > count / 2


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_rows_of_a_file_and_of_the_client(scores, client, count):
    rows = draw_rows(np.random.default_rng(count), count, valid=True)
    written, accepted = pipeline_examples(rows)
    assert len(accepted) == count
    expected = scores(SERVING_DEFAULT, {"examples": written})
    assert_equal(scores(SERVING_DEFAULT, {"examples": [to_example(row) for row in rows]}), expected)
    assert_equal(scores(RAW, to_raw(rows)), expected)
    assert_equal(client.predict(rows), expected)
    assert_equal(client.predict(to_csv(rows)), expected)
    assert_equal(client.predict_examples(written), expected)


@pytest.mark.parametrize(
    ("tokens", "weights", "kept", "kept_weights"),
    [
        (["1", "2"], [0.3], ["1", "2"], [0.3, 0.0]),
        (["1", "", "2"], [], ["1", "2"], [1.0, 1.0]),
        (["1", "", "2"], [0.3, 9.0, 0.5], ["1", "2"], [0.3, 0.5]),
        (["1", "2"], [float("nan"), 0.5], ["1", "2"], [0.0, 0.5]),
        (["1"], [0.3, 0.5], ["1"], [0.3]),
        ([""], [0.3], [], []),
        ([], [0.3], [], []),
    ],
)
def test_weights_that_do_not_fit(scores, tokens, weights, kept, kept_weights):
    row, plain = {"tags": tokens, "tag_weights": weights}, {"tags": kept, "tag_weights": kept_weights}
    expected = scores(SERVING_DEFAULT, {"examples": [to_example(plain)]})
    assert_equal(scores(SERVING_DEFAULT, {"examples": [to_example(row)]}), expected)
    assert_equal(scores(RAW, to_raw([row])), expected)


def test_csv_of_the_rows_is_what_a_file_has():
    """The fields survive the CSV format, so that a row of texts stands for a line of a file."""
    rows = to_csv(draw_rows(np.random.default_rng(5), 50, valid=True))
    file = io.StringIO()
    writer = csv.DictWriter(file, NAMES)
    writer.writeheader()
    writer.writerows(rows)
    file.seek(0)
    assert list(csv.DictReader(file)) == rows
