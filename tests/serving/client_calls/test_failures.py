"""Retries, deadlines and errors."""

import time
import types

import grpc
import pytest

from serving.client import PredictionError, TfmtlClient


def test_unavailable_is_retried(fake, asker):
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 2
    begin = time.monotonic()
    assert asker.predict([{"age": 1.0}])["score"].tolist() == [101.0]
    assert len(fake.requests) == 3
    assert time.monotonic() - begin >= 0.025 + 0.05  # At least half of 50 ms and of 100 ms.


def test_number_of_retries_is_limited(fake, asker):
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 3
    with pytest.raises(PredictionError) as caught:
        asker.predict([{"age": 1.0}])
    assert (caught.value.code, caught.value.details) == (grpc.StatusCode.UNAVAILABLE, "not now")
    assert str(caught.value) == "UNAVAILABLE: not now"
    assert len(fake.requests) == 3


def test_retries_end_with_the_deadline(fake, monkeypatch):
    """The clock advances only during the pauses."""
    now = [100.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda pause: now.append(now.pop() + pause))
    monkeypatch.setattr("serving.connection.time", clock)
    monkeypatch.setattr("serving.client.calls.time", clock)
    monkeypatch.setattr("serving.connection.random.uniform", lambda low, high: high)
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 100
    with TfmtlClient(fake.address, "ads", retries=100) as client, pytest.raises(PredictionError) as caught:
        client.predict([{}], deadline=5.0)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(fake.requests) == 7  # At 0, 0.05, 0.15, 0.35, 0.75, 1.55 and 3.15 s; 5.15 s would be too late.
    assert now == [pytest.approx(103.15)]


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"])
def test_other_errors_are_not_retried(fake, asker, code):
    fake.failures = [grpc.StatusCode[code]]
    with pytest.raises(PredictionError) as caught:
        asker.predict([{}])
    assert (caught.value.code, caught.value.details) == (grpc.StatusCode[code], "not now")
    assert len(fake.requests) == 1


def test_deadline_covers_the_whole_call(fake, asker):
    fake.seconds = 0.3
    begin = time.monotonic()
    with pytest.raises(PredictionError) as caught:
        asker.predict({"age": [0.0] * 40}, deadline=0.8)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.7 < time.monotonic() - begin < 2.5
    assert 1 <= len(fake.requests) <= 6


def test_failed_part_cancels_the_others(fake, asker):
    fake.failures = [None, grpc.StatusCode.INTERNAL]
    with pytest.raises(PredictionError, match="INTERNAL"):
        asker.predict({"age": [0.0] * 400})
    assert len(fake.requests) < 20
    fake.failures = [None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]
    assert asker.predict({"age": [1.0] * 20})["score"].tolist() == [101.0] * 20
