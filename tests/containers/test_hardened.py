"""The demonstration in containers without rights, network and a file system that they could write, on a volume."""

import time
import uuid

import pytest

from tests.containers.engine import HARDENED, docker, done

pytestmark = pytest.mark.long

DEMO = "/opt/tfmtl/examples/demo.yaml"
LOG, SERVED, SOCKET = "/data/log/impressions.csv", "/data/run/serving/demo", "unix:/data/server.sock"


@pytest.fixture(scope="module")
def options(image, volume):
    """Returns the arguments of `docker run` before the command."""
    return (*HARDENED, "--volume", f"{volume}:/data", image)


@pytest.fixture(scope="module")
def printed(options):
    """Runs the pipeline of the demonstration and returns what it prints."""
    done("run", "--rm", *options, "tfmtl", "simulate", DEMO, "--out", "/data/log")
    return done("run", "--rm", *options, "tfmtl", "run", DEMO, "--data", "/data/log", "--out", "/data/run")


def test_the_container_has_no_rights(options):
    status = done("run", "--rm", *options, "cat", "/proc/self/status")
    values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert values["Uid"].split() == ["10001"] * 4
    assert int(values["CapEff"], 16) == int(values["CapBnd"], 16) == 0
    assert values["NoNewPrivs"] == "1"
    assert done("run", "--rm", *options, "ls", "/sys/class/net").split() == ["lo"]
    for file in ("/opt/tfmtl/new", "/root/new", "/new"):
        assert docker("run", "--rm", *options, "touch", file).returncode == 1


def test_a_model_is_trained_and_pushed(options, printed):
    assert f"-> {SERVED}" in printed
    assert len(done("run", "--rm", *options, "ls", SERVED).split()) == 1
    assert "no errors" in done("run", "--rm", *options, "tfmtl", "export-check", SERVED)


@pytest.mark.usefixtures("printed")
def test_a_log_is_scored(options):
    command = ("tfmtl", "score", SERVED, "--data", LOG, "--out", "/data/scores.csv")
    assert "200,000 rows scored" in done("run", "--rm", *options, *command)


@pytest.mark.usefixtures("printed")
def test_server_and_client_share_a_socket_on_the_volume(options):
    server = f"tfmtl-test-{uuid.uuid4().hex[:8]}"
    done("run", "--detach", "--name", server, *options, "tfmtl", "serve", SERVED, "--host", SOCKET)
    try:
        until = time.monotonic() + 60
        while "serving demo" not in docker("logs", server).stdout:
            assert time.monotonic() < until, docker("logs", server).stderr
            time.sleep(0.5)
        command = ("tfmtl", "predict", LOG, "--model", "demo", "--host", SOCKET, "--limit", "3")
        assert "ctcvr" in done("run", "--rm", *options, *command)
        done("stop", server)
        assert done("inspect", "--format", "{{.State.ExitCode}}", server).strip() == "0"
    finally:
        done("rm", "--force", server)
