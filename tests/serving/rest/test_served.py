"""REST beside gRPC in one server: equal answers, common metrics, health, and the end of both."""

import json
import urllib.error
import urllib.request

import pytest

from serving.client import TfmtlClient
from serving.request_metrics import PATH
from serving.server import EmbeddedServer


@pytest.fixture(scope="module")
def served(tmp_path_factory, ads_export, publish):
    root = tmp_path_factory.mktemp("rest") / "ads"
    root.mkdir()
    publish(ads_export, root / "5")
    with EmbeddedServer({"ads": root}, rest_port=0) as server:
        yield server


def ask(server, path, document=None, headers=()):
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"http://{server.rest_address}{path}", body, dict(headers))
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


def test_rest_and_grpc_answer_alike(served):
    rows = [{"age": 31.0, "city": "c2", "tags": ["a"], "weights": [0.5]}]
    answer = json.loads(ask(served, "/v1/models/ads:predict", {"signature_name": "raw", "instances": rows}))
    with TfmtlClient(served.address, "ads") as client:
        expected = client.predict(rows)
    assert answer["predictions"] == [{name: float(str(values[0])) for name, values in sorted(expected.items())}]


def test_metrics_count_both_protocols(served):
    test_rest_and_grpc_answer_alike(served)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(served, "/v1/models/nope:predict", {"inputs": 1})
    text = ask(served, PATH).decode()
    for entrypoint in ("GRPC", "REST"):
        assert f'request_latency_count{{model_name="ads",API="Predict",entrypoint="{entrypoint}"}} ' in text
    assert ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1' in text


def test_health(served):
    assert ask(served, "/healthz") == b"ok\n"
    assert ask(served, "/readyz") == b"ready\n"
    assert json.loads(ask(served, "/v1/models/ads"))["model_version_status"][0]["version"] == "5"


def test_token_and_stop(tmp_path, ads_export, publish):
    (tmp_path / "ads").mkdir()
    publish(ads_export, tmp_path / "ads" / "1")
    server = EmbeddedServer({"ads": tmp_path / "ads"}, rest_port=0, token="secret").start()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(server, "/v1/models/ads")
    assert b"AVAILABLE" in ask(server, "/v1/models/ads", headers=[("Authorization", "Bearer secret")])
    server.stop()
    with pytest.raises(urllib.error.URLError):
        ask(server, "/healthz")


def test_server_without_rest_has_no_address(tmp_path, ads_export, publish):
    (tmp_path / "ads").mkdir()
    publish(ads_export, tmp_path / "ads" / "1")
    with EmbeddedServer({"ads": tmp_path / "ads"}) as server, pytest.raises(RuntimeError, match="rest_port"):
        _ = server.rest_address
