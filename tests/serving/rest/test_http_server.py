"""HTTP server of the embedded server: bodies, limits, health, metrics, tokens and a stop that drains."""

import concurrent.futures
import gzip
import http.client
import json
import threading
import time
import urllib.error
import urllib.request

import pytest

from serving.request_metrics import PATH, RequestMetrics
from serving.requests.admission import InferencePool
from serving.requests.limits import Limits
from serving.rest.http_server import HttpServer

MAX_BODY = 10_000


class Api:
    """Stands for `RestApi`: answers what it was asked; a POST once `released` is set."""

    def __init__(self):
        self.released = threading.Event()
        self.released.set()
        self.started = threading.Semaphore(0)

    def answer(self, method, path, body):
        if method == "POST":
            self.started.release()
            self.released.wait(20)
        return 200, json.dumps({"method": method, "path": path, "bytes": len(body)}).encode()


class Served:
    def __init__(self, **options):
        self.api, self.ready = Api(), True
        self.metrics = RequestMetrics({"m"})
        self.pool = InferencePool(Limits(max_concurrency=2, max_queue=0))
        self.server = HttpServer(
            self.api,
            self.metrics,
            lambda: self.ready,
            self.pool,
            "127.0.0.1",
            0,
            MAX_BODY,
            **options,
        )
        self.server.start()

    def ask(self, path, body=None, **headers):
        request = urllib.request.Request(f"http://{self.server.address}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture
def served():
    made = Served()
    yield made
    made.api.released.set()
    made.server.stop(1.0)


def test_requests_reach_the_api_as_they_are(served):
    status, text = served.ask("/v1/models/a%2Fb:predict?x=1", b'{"inputs": 1}')
    assert status == 200
    assert json.loads(text) == {"method": "POST", "path": "/v1/models/a%2Fb:predict", "bytes": 13}
    assert json.loads(served.ask("/v1/models/m")[1])["method"] == "GET"


def test_bodies_may_be_compressed_and_have_a_limit(served):
    body = b"x" * MAX_BODY
    status, text = served.ask("/v1/models/m:predict", gzip.compress(body[:-1]), **{"Content-Encoding": "gzip"})
    assert (status, json.loads(text)["bytes"]) == (200, MAX_BODY - 1)
    assert served.ask("/v1/models/m:predict", body + b"x")[0] == 413
    bomb = gzip.compress(b"x" * 100_000_000)
    assert served.ask("/v1/models/m:predict", bomb, **{"Content-Encoding": "gzip"})[0] in (400, 413)
    assert served.ask("/healthz")[0] == 200


def test_health_readiness_and_metrics(served):
    assert served.ask("/healthz") == (200, b"ok\n")
    assert served.ask("/readyz")[0] == 200
    served.ready = False
    assert served.ask("/readyz")[0] == 503
    assert served.ask("/healthz")[0] == 200
    status, text = served.ask(PATH)
    assert status == 200
    assert b"# TYPE :tensorflow:serving:request_count counter" in text
    assert served.ask("/other")[0] == 404


def test_a_full_server_refuses_models_and_answers_the_rest(served):
    served.api.released.clear()
    with concurrent.futures.ThreadPoolExecutor(2) as clients:
        held = [clients.submit(served.ask, "/v1/models/m:predict", b"{}") for _ in range(2)]
        for _ in held:
            assert served.api.started.acquire(timeout=20)
        status, text = served.ask("/v1/models/m:predict", b"{}")
        refusal = {"error": "server has as many requests running and waiting as it may have"}
        assert (status, json.loads(text)) == (429, refusal)
        assert served.ask("/v1/models/m")[0] == 200
        assert served.ask("/healthz")[0] == 200
        assert not any(one.done() for one in held), "the answers did not wait for a place"
        served.api.released.set()
        assert [one.result(20)[0] for one in held] == [200, 200]


def test_token():
    made = Served(token="secret")
    try:
        assert made.ask("/v1/models/m")[0] == 401
        assert made.ask("/v1/models/m", None, Authorization="Bearer other")[0] == 401
        assert made.ask("/v1/models/m", None, Authorization="Bearer secret")[0] == 200
        assert made.ask(PATH)[0] == 401
        assert made.ask("/readyz")[0] == 200
    finally:
        made.server.stop(1.0)


def test_a_stop_waits_for_running_requests(served):
    served.api.released.clear()
    with concurrent.futures.ThreadPoolExecutor(2) as clients:
        answer = clients.submit(served.ask, "/v1/models/m:predict", b"{}")
        assert served.api.started.acquire(timeout=20)
        stopped = clients.submit(served.server.stop, 15.0)
        threading.Timer(0.3, served.api.released.set).start()
        assert answer.result(20)[0] == 200
        stopped.result(30)
    with pytest.raises(urllib.error.URLError):
        served.ask("/healthz")


def test_a_stop_ends_after_its_grace(served):
    served.api.released.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as clients:
        answer = clients.submit(served.ask, "/v1/models/m:predict", b"{}")
        assert served.api.started.acquire(timeout=20)
        start = time.monotonic()
        served.server.stop(0.2)
        assert time.monotonic() - start < 5
        with pytest.raises((OSError, http.client.HTTPException)):
            answer.result(20)
        served.api.released.set()


def test_an_address_in_use_is_an_error(served):
    port = int(served.server.address.rpartition(":")[2])
    other = HttpServer(served.api, served.metrics, lambda: True, served.pool, "127.0.0.1", port, MAX_BODY)
    with pytest.raises(OSError, match="address already in use"):
        other.start()
    other.stop(0.1)
