import threading
from concurrent import futures

import grpc
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from serving.client import PredictionError, TfmtlClient
from serving.server import EmbeddedServer
from tests.serving.blocking_facade import CLIENTS
from tests.serving.conftest import controls_server

ROWS = [
    {"age": 31.0, "city": "c1", "tags": ["a", "b"], "weights": [0.5, 0.25]},
    {"age": None, "city": None, "tags": None, "weights": None},
    {},
    {"age": float("nan"), "city": "elsewhere", "tags": [], "weights": []},
    {"age": -3, "city": b"c2", "tags": ("x",), "weights": np.array([1.5])},
]
COLUMNS = {name: [row.get(name) for row in ROWS] for name in ("age", "city", "tags", "weights")}


@pytest.fixture(scope="module", params=CLIENTS)
def client(request, server):
    with CLIENTS[request.param](server.address, "ads") as opened:
        yield opened


def assert_scores(actual, expected):
    assert set(actual) == set(expected)
    for name, values in expected.items():
        assert actual[name].shape == values.shape
        assert actual[name].dtype == np.float32
        np.testing.assert_allclose(actual[name], values, rtol=1e-5)


@pytest.mark.parametrize("form", ["dicts", "columns", "arrays", "frame", "frame of pandas types"])
def test_predict_accepts_dicts_columns_and_frames(client, expected_scores, form):
    expected = [
        {**row, "city": row["city"].decode() if isinstance(row.get("city"), bytes) else row.get("city")} for row in ROWS
    ]
    rows: object = ROWS
    if form == "columns":
        rows = COLUMNS
    elif form == "arrays":
        rows = {
            "age": np.array([31, np.nan, np.nan, np.nan, -3]),
            "tags": np.array([["a"], ["b"], ["c"], ["d"], ["e"]]),
        }
        expected = [{"age": age, "tags": [tag]} for age, tag in zip(rows["age"], "abcde", strict=True)]
    elif form == "frame":
        rows = pd.DataFrame(COLUMNS)
    elif form == "frame of pandas types":
        rows = pd.DataFrame(
            {
                "age": pd.array([31, None, None, None, -3], "Int64"),
                "city": pd.array(["c1", None] * 2 + ["c2"], "string"),
            }
        )
        expected = [
            {"age": age, "city": city}
            for age, city in zip([31, None, None, None, -3], ["c1", None] * 2 + ["c2"], strict=True)
        ]
    assert_scores(client.predict(rows), expected_scores(expected))


def test_predict_examples(client, expected_scores):
    rows = [{"age": 4.0, "city": "c2", "tags": ["a", "b"], "weights": [0.5, 0.125]}, {}]
    example = tf.train.Example()
    for name, value in rows[0].items():
        values = value if isinstance(value, list) else [value]
        if isinstance(values[0], float):
            example.features.feature[name].float_list.value.extend(values)
        else:
            example.features.feature[name].bytes_list.value.extend(text.encode() for text in values)
    assert_scores(client.predict_examples([example.SerializeToString(), b""]), expected_scores(rows))


def test_outputs_are_selected_and_checked(client, expected_scores):
    assert_scores(client.predict(ROWS[2:4], outputs=["ctcvr"]), {"ctcvr": expected_scores(ROWS[2:4])["ctcvr"]})
    with pytest.raises(ValueError, match=r"outputs should be among ctcvr, ctr, cvr. Received: 'cr'"):
        client.predict(ROWS, outputs=["cr"])


@pytest.mark.parametrize("rows", [[], {}, {"age": []}, pd.DataFrame(), pd.DataFrame({"age": []})])
def test_predict_of_no_rows(client, rows):
    scores = client.predict(rows)
    assert {name: (array.shape, array.dtype.name) for name, array in scores.items()} == {
        name: ((0,), "float32") for name in ("ctr", "cvr", "ctcvr")
    }


def test_predict_of_no_examples(client):
    assert {name: array.shape for name, array in client.predict_examples([]).items()} == {
        "ctr": (0,),
        "cvr": (0,),
        "ctcvr": (0,),
    }


def test_rejects_invalid_examples(client):
    with pytest.raises(
        ValueError, match=r"example 1 should be bytes, a serialized tf.Example. Received: <class 'str'>"
    ):
        client.predict_examples([b"", "text"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"deadline": 0}, "deadline should be above 0"),
        ({"retries": -1}, "retries should be above -1"),
        ({"max_batch": 0}, "max_batch should be above 0"),
        ({"version": 1, "label": "stable"}, "version and label should not both be given. Received: 1, 'stable'"),
    ],
)
def test_rejects_invalid_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TfmtlClient("127.0.0.1:1", "m", **arguments)


def test_status_metadata_and_selected_versions(server, client):
    assert [(status.version, status.state, status.error) for status in client.status()] == [(123, "AVAILABLE", "")]
    metadata = client.metadata()
    assert metadata.version == 123
    assert set(metadata.signatures["raw"].inputs) == {"age", "city", "tags", "weights"}
    with TfmtlClient(server.address, "ads", version=123) as pinned:
        assert pinned.predict([{}])["ctr"].shape == (1,)
    with TfmtlClient(server.address, "ads", version=9) as pinned, pytest.raises(PredictionError) as caught:
        pinned.predict([{}])
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert caught.value.details == "Servable not found for request: Specific(ads, 9)"
    with TfmtlClient(server.address, "ads", label="stable") as labelled, pytest.raises(PredictionError) as caught:
        labelled.predict([{}])
    assert caught.value.details == "Unrecognized servable version label: stable"


def test_other_signatures(server):
    with TfmtlClient(server.address, "m", signature="serving_default") as client:
        assert client.predict([{"x": 2.0}, {"x": 4}])["y"].tolist() == [5.0, 9.0]
    with TfmtlClient(server.address, "m", signature="product") as client:
        assert client.predict([{"x": [2.0, 3.0]}, {"x": [4.0]}])["y"].tolist() == [5.0, 4.0]
        with pytest.raises(ValueError, match=r"row 0, feature 'x' should be a list of at most 2 numbers"):
            client.predict([{"x": [1.0, 2.0, 3.0]}])
    with TfmtlClient(server.address, "m", signature="echo") as client:
        assert client.predict([{"text": "häl"}])["text"].tolist() == ["häl".encode()]
        assert client.predict([])["text"].dtype == object
    with (
        TfmtlClient(server.address, "m") as client,
        pytest.raises(ValueError, match=r"signature should be one of .*'raw'"),
    ):
        client.predict([{"x": 2.0}])


@controls_server
def test_wait_until_ready(tmp_path, line_exports, publish):
    server = EmbeddedServer({"m": tmp_path}, poll_seconds=0.05)
    with server, TfmtlClient(server.address, "m", signature="serving_default") as client:
        with pytest.raises(
            PredictionError, match=r"model m should be ready within 0.3 s. Received: (NOT_FOUND|DEADLINE)"
        ):
            client.wait_until_ready(0.3)
        timer = threading.Timer(0.3, publish, (line_exports[2], tmp_path / "1"))
        timer.start()
        client.wait_until_ready(20)
        timer.join()
        assert client.predict([{"x": 1.0}])["y"].tolist() == [3.0]


@controls_server
def test_client_reconnects_to_a_restarted_server(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    first = EmbeddedServer({"m": tmp_path}).start()
    port = int(first.address.split(":")[1])
    with TfmtlClient(first.address, "m", signature="serving_default", retries=20) as client:
        client.predict([{"x": 1.0}])
        first.stop()
        second = EmbeddedServer({"m": tmp_path}, port=port)
        timer = threading.Timer(0.3, second.start)
        timer.start()
        assert client.predict([{"x": 1.0}], deadline=20)["y"].tolist() == [3.0]
        timer.join()
        second.stop()


def test_threads_share_a_client(client, expected_scores):
    rows = [{"age": float(age), "city": "c2"} for age in range(64)]
    with futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: client.predict([row])["ctr"][0], rows))
    np.testing.assert_allclose(answers, expected_scores(rows)["ctr"], rtol=1e-5)
