"""Both clients over TLS and mutual TLS, and with a token."""

import asyncio

import grpc
import pytest

from serving.client import AsyncTfmtlClient, TfmtlClient
from serving.errors import PredictionError
from serving.security import TlsFiles
from serving.server import EmbeddedServer

ROWS = [{"age": 31.0, "city": "c2", "tags": ["a"], "weights": [0.5]}]
TOKEN = {"authorization": "Bearer s3cret"}


def blocking(address, **options):
    with TfmtlClient(address, "ads", retries=0, deadline=10, **options) as client:
        return client.predict(ROWS)


def asynchronous(address, **options):
    async def score():
        async with AsyncTfmtlClient(address, "ads", retries=0, deadline=10, **options) as client:
            return await client.predict(ROWS)

    return asyncio.run(score())


@pytest.fixture(scope="module", params=["TLS", "mutual TLS"])
def served(request, tmp_path_factory, ads_export, publish, certificates):
    """Server with a certificate and a token, and the options of a client that it accepts."""
    mutual = request.param == "mutual TLS"
    folder = tmp_path_factory.mktemp("secure") / "ads"
    folder.mkdir()
    publish(ads_export, folder / "1")
    files = ("server.pem", "server.key", *(["ca.pem"] if mutual else []))
    tls = TlsFiles(*(certificates / name for name in files))
    names = ("ca.pem", "client.key", "client.pem") if mutual else ("ca.pem",)
    credentials = grpc.ssl_channel_credentials(*((certificates / name).read_bytes() for name in names))
    with EmbeddedServer({"ads": folder}, tls=tls, token="s3cret") as server:
        yield server.address, mutual, {"credentials": credentials, "headers": TOKEN}


@pytest.mark.parametrize("predict", [blocking, asynchronous])
def test_scores_by_tls_and_token(served, expected_scores, predict):
    address, _, options = served
    scores = predict(address, **options)
    for name, values in expected_scores(ROWS).items():
        assert scores[name] == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize("predict", [blocking, asynchronous])
def test_clients_that_the_server_refuses(served, certificates, predict):
    address, mutual, options = served
    authority = grpc.ssl_channel_credentials((certificates / "ca.pem").read_bytes())
    refused = [
        ("UNAUTHENTICATED", {**options, "headers": {}}),
        ("UNAUTHENTICATED", {**options, "headers": {"authorization": "Bearer other"}}),
        ("UNAVAILABLE", {**options, "credentials": None}),
        ("UNAVAILABLE", {**options, "credentials": grpc.ssl_channel_credentials()}),
        *([("UNAVAILABLE", {**options, "credentials": authority})] if mutual else []),
    ]
    for code, wrong in refused:
        with pytest.raises(PredictionError) as caught:
            predict(address, **wrong)
        assert caught.value.code.name == code
