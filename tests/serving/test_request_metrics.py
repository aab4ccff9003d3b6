"""Metrics of requests: counts, histograms, labels, and the text format."""

import re
import threading

import grpc
import pytest

from serving.request_metrics import RequestMetrics

OK = grpc.StatusCode.OK
LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\} (\S+)$')


def values(metrics):
    """Values by name and labels; every line has the format of Prometheus."""
    found = {}
    for line in metrics.text().splitlines():
        if not line.startswith("# TYPE "):
            name, labels, value = LINE.fullmatch(line).groups()
            found[name.rpartition(":")[2], labels] = float(value)
    return found


def test_counts_by_status_and_latencies_of_successes():
    metrics = RequestMetrics({"ads"})
    for seconds in (0.001, 0.002, 0.1):
        metrics.record("ads", "Predict", "GRPC", OK, seconds)
    metrics.record("ads", "Predict", "REST", grpc.StatusCode.NOT_FOUND, 0.5)
    found = values(metrics)
    assert found["request_count", 'model_name="ads",status="OK"'] == 3
    assert found["request_count", 'model_name="ads",status="NOT_FOUND"'] == 1
    labels = 'model_name="ads",API="Predict",entrypoint="GRPC"'
    assert found["request_latency_count", labels] == 3
    assert found["request_latency_sum", labels] == pytest.approx(103_000)
    assert not any("REST" in labels for _, labels in found)


def test_buckets_are_cumulative():
    metrics = RequestMetrics({"ads"})
    for microseconds in (5, 10, 11, 1e12):
        metrics.record("ads", "Predict", "GRPC", OK, microseconds / 1e6)
    labels = 'model_name="ads",API="Predict",entrypoint="GRPC",le="{}"'
    found = values(metrics)
    buckets = [value for (name, _), value in found.items() if name == "request_latency_bucket"]
    assert found["request_latency_bucket", labels.format("10")] == 2
    assert found["request_latency_bucket", labels.format("18")] == 3
    assert found["request_latency_bucket", labels.format("+Inf")] == 4
    assert buckets == sorted(buckets)
    assert len(buckets) == 34


def test_names_that_are_not_served_are_one_label():
    models = {"ads"}
    metrics = RequestMetrics(models)
    for i in range(1000):
        metrics.record(f"model {i}", "Predict", "GRPC", OK, 0.001)
    assert {labels for name, labels in values(metrics) if name == "request_count"} == {'model_name="",status="OK"'}
    models.add("shop")
    metrics.record("shop", "Predict", "GRPC", OK, 0.001)
    assert ("request_count", 'model_name="shop",status="OK"') in values(metrics)


def test_names_are_escaped():
    name = 'a"b\\c\nd'
    metrics = RequestMetrics({name})
    metrics.record(name, "Predict", "GRPC", OK, 0.001)
    assert ("request_count", r'model_name="a\"b\\c\nd",status="OK"') in values(metrics)


def test_no_request_is_lost_between_threads():
    metrics = RequestMetrics({"ads"})
    threads = [
        threading.Thread(target=lambda: [metrics.record("ads", "Predict", "GRPC", OK, 0.001) for _ in range(2000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(metrics)["request_count", 'model_name="ads",status="OK"'] == 8000


def test_no_requests():
    assert values(RequestMetrics(())) == {}
