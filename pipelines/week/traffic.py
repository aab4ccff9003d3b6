"""Requests to a server, which a thread sends while the versions of the model change."""

import collections
import threading
import time
from collections.abc import Sequence
from typing import Any

from serving.client import TfmtlClient
from serving.errors import PredictionError

_SECONDS = 0.1
_ROWS = 8


class Traffic:
    """Thread that sends a request of a few rows ten times a second, and counts the answers of each version.

    Args:
        client: Client of the server.
        rows: Rows of raw features, of which each request has the next ones.

    Attributes:
        answers: Number of answers by version.
        failures: Messages of the requests that were not answered.
    """

    def __init__(self, client: TfmtlClient, rows: Sequence[dict[str, Any]]):
        self.answers: collections.Counter[int] = collections.Counter()
        self.failures: list[str] = []
        self._client, self._rows = client, rows
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send, name="traffic", daemon=True)
        self._thread.start()

    def wait_for(self, version: int, seconds: float = 60.0) -> None:
        """Waits until a version answers.

        Args:
            version: Number of the version.
            seconds: Longest time to wait.

        Raises:
            TimeoutError: If the version does not answer in that time.
        """
        end = time.monotonic() + seconds
        while version not in self.answers:
            if time.monotonic() > end:
                answering = ", ".join(map(str, self.answers)) or "no version"
                raise TimeoutError(f"version {version} should answer within {seconds:.0f} s. Received: {answering}")
            time.sleep(_SECONDS)

    def stop(self) -> None:
        """Ends the thread after its last request."""
        self._stopping.set()
        self._thread.join()

    def _send(self) -> None:
        number = 0
        while not self._stopping.wait(_SECONDS):
            start = number * _ROWS % max(len(self._rows) - _ROWS, 1)
            try:
                answer = self._client.predict(self._rows[start : start + _ROWS])
                self.answers[answer.version] += 1
            except PredictionError as error:
                self.failures.append(str(error))
            number += 1
