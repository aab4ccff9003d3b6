"""Benchmark of serving: its loads, its rows, and a short run against our server."""

import json
import time

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from benchmarks import serve
from benchmarks.serving import models
from benchmarks.serving.load import Latencies, closed_loop, open_loop


def test_closed_loop_measures_every_request_and_counts_failures():
    calls = []

    def call():
        calls.append(None)
        time.sleep(0.002)
        if len(calls) % 5 == 0:
            raise ConnectionError

    latencies = closed_loop(call, clients=2, seconds=0.2, warm_up=4)
    assert len(latencies.seconds) + latencies.errors == len(calls) - 4
    assert latencies.errors > 0
    assert latencies.seconds.min() >= 0.002
    assert latencies.rate == pytest.approx(len(latencies.seconds) / latencies.duration)


def test_open_loop_measures_from_the_time_at_which_a_request_should_be_sent():
    """A server that stops for a while delays the requests behind, which a closed loop would not send."""

    def send(done):
        if not sent:
            time.sleep(0.2)
        sent.append(None)
        done(len(sent) != 3)

    sent: list[None] = []
    latencies = open_loop(send, rate=100, seconds=0.3)
    assert len(sent) == 30
    assert latencies.errors == 1
    assert len(latencies.seconds) == 29
    assert latencies.seconds.max() >= 0.19
    assert np.count_nonzero(latencies.seconds > 0.1) >= 8


def test_percentiles_without_requests_are_not_defined():
    assert np.isnan(Latencies(np.zeros(0), 1.0).percentile(50))


def test_examples_hold_the_tokens_of_the_columns():
    spec = models.spec_of(3)
    columns, serialized = models.columns(spec, 5), models.examples(spec, 5)
    for i, one in enumerate(serialized):
        features = tf.train.Example.FromString(one).features.feature
        assert {name: features[name].bytes_list.value[0].decode() for name in features} == {
            name: values[i] for name, values in columns.items()
        }


@pytest.mark.long
def test_every_row_is_measured_against_our_server(tmp_path):
    arguments = ["--quick", "--features", "3", "--batch", "7", "--clients", "2", "--json", str(tmp_path / "rows.json")]
    run = CliRunner().invoke(serve.main, arguments)
    assert run.exit_code == 0, run.output
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["request"] for row in rows] == ["tensors"] * 4 + ["examples"] * 4
    assert all(row["errors"] == 0 and row["req/s"] > 0 for row in rows)
    for row in rows:
        assert 0 < row["p50"] <= row["p99"] <= row["p99.9"]
    assert [row["load"] for row in rows[:2]] == ["1 client", "2 clients"]
    assert all(row["ratio"] > 0.3 for row in rows if row["load"] in ("1 client", "TfmtlClient"))
