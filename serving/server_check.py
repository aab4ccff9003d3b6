"""Check of an export through a server: recorded requests give the recorded scores, and how long they take."""

import contextlib
import dataclasses
import pathlib
import statistics
import tempfile
import time

from serving import protos, tensors
from serving.connection import Connection
from serving.errors import PredictionError, StatusError
from serving.recorded import TOLERANCE, compare, recorded_requests, signature_of
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError

_NAME = "candidate"
_TIMED_REQUESTS = 30
_START_SECONDS = 120.0
_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class ServerCheck:
    """Result of the check of an export through a server.

    Attributes:
        requests: Number of recorded requests that were sent.
        compared: Number of scores that were compared with recorded ones.
        difference: Largest relative difference of a score from the recorded one.
        median_ms: Median time of a request of one row from the client and back, in milliseconds; None without such a
            request.
        error: Sentence about the first failure; empty if there is none.
    """

    requests: int = 0
    compared: int = 0
    difference: float = 0.0
    median_ms: float | None = None
    error: str = ""


def check_through_server(folder: str | pathlib.Path) -> ServerCheck:
    """Serves an export by the embedded server, and sends it the requests that the export recorded.

    Args:
        folder: Folder of the SavedModel on a local disk.

    Returns:
        The result. A server that does not become ready is an error of it.

    Example:
    ```python
    check = check_through_server("runs/ads/serving/ads/1795853324")
    assert not check.error and check.difference < 1e-4
    ```
    """
    folder = pathlib.Path(folder).resolve()
    logs = recorded_requests(folder)
    with tempfile.TemporaryDirectory() as base:
        (pathlib.Path(base) / "1").symlink_to(folder, target_is_directory=True)
        server = EmbeddedServer({_NAME: base}, max_message_bytes=tensors.MAX_BYTES)
        try:
            server.start(require_models=True)
            with contextlib.closing(Connection(server.address, retries=0)) as connection:
                return _send_all(connection, logs)
        except (PredictionError, StatusError, ConfigError) as error:
            return ServerCheck(error=str(error))
        finally:
            server.stop()


def _send_all(connection: Connection, logs: list[protos.PredictionLog]) -> ServerCheck:
    requests = compared = 0
    difference, error, single = 0.0, "", None
    for log in logs:
        request = protos.PredictRequest()
        request.CopyFrom(log.predict_log.request)
        request.model_spec.name = _NAME
        response = _send(connection, request, _START_SECONDS if not requests else _SECONDS)
        outputs = {name: tensors.decode(tensor) for name, tensor in response.outputs.items()}
        one = compare(outputs, log.predict_log.response)
        requests, compared, difference = requests + 1, compared + one.compared, max(difference, one.difference)
        if one.error or one.difference > TOLERANCE:
            words = f"a score differs from the recorded one by {one.difference:.2g}, relative to it"
            error = error or f"the signature {signature_of(log)}: {one.error or words}"
        if single is None and all(len(values) == 1 for values in outputs.values()):
            single = request
    return ServerCheck(requests, compared, difference, None if single is None else _time(connection, single), error)


def _time(connection: Connection, request: protos.PredictRequest) -> float:
    times = []
    for _ in range(_TIMED_REQUESTS):
        start = time.perf_counter()
        _send(connection, request, _SECONDS)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _send(connection: Connection, request: protos.PredictRequest, seconds: float) -> protos.PredictResponse:
    return connection.send("predict", [request], time.monotonic() + seconds)[0]
