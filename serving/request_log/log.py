"""Log of sampled requests, written by a thread of its own."""

import collections
import logging
import random
import threading
import time
from typing import Any

import grpc
import tensorflow as tf

from serving import protos
from serving.protos import wire
from serving.request_log.options import RequestLogOptions
from serving.request_log.record_files import RecordFiles
from serving.request_metrics import RequestMetrics

QUEUE_BYTES = 64 * 2**20
QUEUE_RECORDS = 1000

_FLUSH_SECONDS = 1.0
_LOG_TYPES = {"Predict": 6, "Classify": 2, "Regress": 3, "MultiInference": 4}
"""Number of the field of `PredictionLog` by method."""

_log = logging.getLogger(__name__)


class RequestLog:
    """Log to which requests are handed, and which drops them while its queue is full.

    A request waits for nothing. The logs that are written, dropped or failed are counted in the metrics
    (`RequestMetrics.record_log`).

    Args:
        options: Folder, sampling rate and sizes.
        metrics: Metrics of the server.

    Raises:
        ConfigError: If the folder cannot be used.
    """

    def __init__(self, options: RequestLogOptions, metrics: RequestMetrics):
        self._rate, self._metrics = options.sampling_rate, metrics
        self._files = RecordFiles(options)
        self._queue: collections.deque[tuple[str, int, list[bytes]]] = collections.deque()
        self._queued_bytes, self._closed, self._failing = 0, False, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def sample(self) -> bool:
        """Returns whether to log a request: True with the probability of the sampling rate."""
        return random.random() < self._rate

    def add(self, method: str, spec: Any, request: bytes, response: bytes) -> None:
        """Adds a request that has been answered.

        Args:
            method: Name of the method, such as `Predict`.
            spec: Name, version and signature of the model that has answered, a `ModelSpec`; None if there is none.
            request: Serialized request.
            response: Serialized response.
        """
        model = spec.name if spec is not None else ""
        parts = _parts(method, self._metadata(spec), request, response)
        size = sum(map(len, parts))
        with self._changed:
            room = len(self._queue) < QUEUE_RECORDS and self._queued_bytes + size <= QUEUE_BYTES
            accepted = room and not self._closed and self._files.fits(size)
            if accepted:
                self._queue.append((model, size, parts))
                self._queued_bytes += size
                self._changed.notify()
        if not accepted:
            self._metrics.record_log(model, grpc.StatusCode.RESOURCE_EXHAUSTED)

    def close(self, seconds: float = 5.0) -> None:
        """Writes what has been added, and completes the file.

        Args:
            seconds: Maximum time to wait.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(seconds)

    def _metadata(self, spec: Any) -> bytes:
        metadata = protos.LogMetadata(timestamp_secs=int(time.time()), saved_model_tags=[tf.saved_model.SERVING])
        metadata.sampling_config.sampling_rate = self._rate
        if spec is not None:
            metadata.model_spec.CopyFrom(spec)
        serialized: bytes = metadata.SerializeToString()
        return serialized

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._queue and not self._closed:
                    self._changed.wait(_FLUSH_SECONDS)
                entry = self._queue.popleft() if self._queue else None
                if entry is not None:
                    self._queued_bytes -= entry[1]
                closed = self._closed
            if entry is not None:
                self._write(entry[0], entry[2])
            elif closed:
                self._try(self._files.close)
                return
            if not self._queue:
                self._try(self._files.flush)

    def _write(self, model: str, parts: list[bytes]) -> None:
        written = self._try(self._files.write, b"".join(parts))
        self._metrics.record_log(model, grpc.StatusCode.OK if written else grpc.StatusCode.UNAVAILABLE)

    def _try(self, call: Any, *args: Any) -> bool:
        """Returns whether a call has succeeded; the first failure of several is logged."""
        try:
            call(*args)
        except (OSError, tf.errors.OpError) as error:
            if not self._failing:
                _log.error("the request log cannot be written: %s", str(error).splitlines()[0])
            self._failing = True
            return False
        if args:
            self._failing = False
        return True


def _parts(method: str, metadata: bytes, request: bytes, response: bytes) -> list[bytes]:
    """Returns a serialized `PredictionLog` in parts, without a copy of request and response."""
    inner = [wire.header(1, len(request)), request, wire.header(2, len(response)), response]
    head = [wire.header(1, len(metadata)), metadata, wire.header(_LOG_TYPES[method], sum(map(len, inner)))]
    return head + inner
