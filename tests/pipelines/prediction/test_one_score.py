"""One row, one score: read from a file by the pipeline, as a tf.Example, as raw tensors, and by the client."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from serving.client import TfmtlClient
from serving.export import RAW, SERVING_DEFAULT
from serving.servable import Servable
from serving.server import EmbeddedServer
from tests.pipelines.prediction.shop_model import NAMES, OUTPUTS, SPEC, draw_rows, export_model, to_csv, to_example
from transforms.batches.raw_batch import RawBatch
from transforms.examples.from_columns import encode
from transforms.validation.validate import validate


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
        "device": np.array([row.get("device", "") for row in rows], object),
        "users": matrix("users", "", 2),
        "paid": np.array([row.get("paid", nan) for row in rows], np.float32),
        "title": matrix("title", nan, 2),
    }


def pipeline_examples(rows):
    """Returns the tf.Examples that the pipeline writes for rows of a file, and the indices of the rows it accepts."""
    texts = to_csv(rows)
    columns = {name: pa.array([row[name] or None for row in texts], pa.string()) for name in NAMES}
    columns |= {label: pa.array(["0"] * len(rows)) for label in SPEC.labels}
    validated = validate(RawBatch(pa.table(columns), np.arange(len(rows)), "rows.csv"), SPEC)
    return encode(validated.typed).to_pylist(), validated.raw.lines


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export of a model with random weights."""
    folder = tmp_path_factory.mktemp("one_score")
    export_model(folder)
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
