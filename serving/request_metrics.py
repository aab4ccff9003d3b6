"""Metrics of requests, in the text format of Prometheus and with the names of TensorFlow Serving."""

import bisect
import itertools
import threading
from collections.abc import Collection

import grpc

PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COUNT = ":tensorflow:serving:request_count"
_LOGS = ":tensorflow:serving:request_log_count"
_LATENCY = ":tensorflow:serving:request_latency"
_BOUNDS = tuple(10 * 1.8**i for i in range(33))
"""Upper bounds of the latency's buckets in microseconds, those of TensorFlow Serving; about 20 minutes are the last."""


class RequestMetrics:
    """Counts of requests by model and status, and histograms of their latencies by model, method and protocol.

    Only names of served models are labels, so that requests for names that do not exist cannot fill the memory. The
    names of the metrics are those of TensorFlow Serving, so that one dashboard shows both servers; client libraries of
    Prometheus would change them.

    Args:
        models: Names of the served models. The collection may grow; an unknown name is counted as the model "".

    Example:
        >>> import grpc
        >>> from serving.request_metrics import RequestMetrics
        >>> metrics = RequestMetrics({"ads"})
        >>> metrics.record("ads", "Predict", "GRPC", grpc.StatusCode.OK, seconds=0.004)
        >>> metrics.text().splitlines()[1]
        ':tensorflow:serving:request_count{model_name="ads",status="OK"} 1'
    """

    def __init__(self, models: Collection[str]):
        self._models = models
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}
        self._logs: dict[tuple[str, str], int] = {}
        self._latencies: dict[tuple[str, str, str], _Histogram] = {}

    def record(self, model: str, method: str, entrypoint: str, code: grpc.StatusCode, seconds: float) -> None:
        """Records a request.

        Args:
            model: Name of the model in the request.
            method: Name of the method, such as `Predict`.
            entrypoint: Protocol: `GRPC` or `REST`.
            code: Status of the answer. Latencies are recorded of successful requests only.
            seconds: Seconds from the request to the answer.
        """
        name = model if model in self._models else ""
        with self._lock:
            count = (name, code.name)
            self._counts[count] = self._counts.get(count, 0) + 1
            if code is grpc.StatusCode.OK:
                self._latencies.setdefault((name, method, entrypoint), _Histogram()).add(1e6 * seconds)

    def record_log(self, model: str, code: grpc.StatusCode) -> None:
        """Records a request of the request log.

        Args:
            model: Name of the model in the request.
            code: OK if it was written, RESOURCE_EXHAUSTED if it was dropped, UNAVAILABLE if it could not be written.
        """
        key = (model if model in self._models else "", code.name)
        with self._lock:
            self._logs[key] = self._logs.get(key, 0) + 1

    def text(self) -> str:
        """Returns all metrics in Prometheus' text format."""
        with self._lock:
            lines = [f"# TYPE {_COUNT} counter"]
            for (model, status), count in sorted(self._counts.items()):
                lines.append(f"{_COUNT}{{{_labels(model_name=model, status=status)}}} {count}")
            if self._logs:
                lines.append(f"# TYPE {_LOGS} counter")
            for (model, status), count in sorted(self._logs.items()):
                lines.append(f"{_LOGS}{{{_labels(model_name=model, status_code=status)}}} {count}")
            lines.append(f"# TYPE {_LATENCY} histogram")
            for (model, method, entrypoint), histogram in sorted(self._latencies.items()):
                labels = _labels(model_name=model, API=method, entrypoint=entrypoint)
                lines += histogram.lines(_LATENCY, labels)
        return "\n".join(lines) + "\n"


class _Histogram:
    def __init__(self) -> None:
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._buckets[bisect.bisect_left(_BOUNDS, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        """Returns the lines of the cumulative buckets, the sum and the count."""
        cumulative = list(itertools.accumulate(self._buckets))
        bounds = [*(f"{bound:g}" for bound in _BOUNDS), "+Inf"]
        buckets = [f'{name}_bucket{{{labels},le="{b}"}} {n}' for b, n in zip(bounds, cumulative, strict=True)]
        return [*buckets, f"{name}_sum{{{labels}}} {self._sum:g}", f"{name}_count{{{labels}}} {cumulative[-1]}"]


def _labels(**values: str) -> str:
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in values.items()
    }
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())
