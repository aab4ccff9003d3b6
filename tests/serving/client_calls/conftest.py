import pytest

from tests.serving.blocking_facade import CLIENTS
from tests.serving.client_calls.scripted_server import ScriptedServer


@pytest.fixture
def fake():
    running = ScriptedServer()
    yield running
    running.stop()


@pytest.fixture(params=CLIENTS)
def asker(request, fake):
    with CLIENTS[request.param](fake.address, "ads", deadline=10.0, retries=2, max_batch=4) as client:
        yield client
