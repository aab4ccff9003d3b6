"""Clients in other languages: the page shows parts of the programs, which score as Python does."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.client import TfmtlClient
from tests.test_documentation import blocks, call, environment, write_log

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = REPOSITORY / "examples" / "clients"
SOURCES = {"go": ("go/main.go", "go/tensors.go"), "java": ("java/src/main/java/Score.java",), "xml": ("java/pom.xml",)}
ROWS = [
    {"user": "u17", "item": "i4", "device": "phone", "price": 12.5, "interests": ["a", "c"]},
    {"user": "somebody new", "device": "desktop", "price": 80.0},
]
"""Rows of the programs and of the page."""
NETWORK = re.compile(
    r"proxy\.golang\.org|dial tcp|no such host|Could not resolve|Could not transfer|Unknown host|[Ff]ailed to fetch|dns"
)


@pytest.mark.parametrize(("language", "count"), [("go", 2), ("java", 1), ("xml", 1)])
def test_blocks_of_the_page_are_parts_of_the_programs(language, count):
    found = blocks(language, "clients.md")
    assert len(found) == count
    sources = "\n".join((PROGRAMS / name).read_text(encoding="utf-8") for name in SOURCES[language])
    assert [block for block in found if block not in sources] == []


def test_page_gives_the_versions_of_the_go_module():
    pinned = (PROGRAMS / "go" / "go.mod").read_text(encoding="utf-8")
    (version,) = re.findall(r"cmd/protoc-gen-go@(\S+)", "".join(blocks("text", "clients.md")))
    assert f"google.golang.org/protobuf {version}\n" in pinned


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")


def run(*command, cwd=None, env=None, timeout=500):
    """Runs a program, and skips the test if it fails because a registry cannot be reached."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
    )
    if done.returncode and NETWORK.search(done.stdout + done.stderr):
        pytest.skip(f"a registry cannot be reached: {(done.stdout + done.stderr).strip()[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Base path of the model `shop` of the page on own data."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(blocks("yaml", "own-data.md")[0])
    write_log(folder / "log.csv")
    done = call("tfmtl run shop.yaml --data log.csv", folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "shop" / "serving" / "shop"


@pytest.fixture(scope="module")
def served(export):
    """Addresses of gRPC and REST of a server of the model."""
    port, rest = free_port(), free_port()
    command = [sys.executable, "-c", "from pipelines.cli import program; program()", "serve", str(export)]
    command += ["--port", str(port), "--rest-port", str(rest)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert "serving shop" in server.stdout.readline()
            yield f"127.0.0.1:{port}", f"127.0.0.1:{rest}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def expected(served):
    """Scores of `ROWS` by the client for Python."""
    with TfmtlClient(served[0], "shop") as client:
        scores = client.predict(ROWS)
    assert set(scores) == {"ctr", "cvr", "ctcvr"}
    return scores


def check(answer, expected):
    assert set(answer) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(answer[name], values, rtol=0, atol=1e-6)


@pytest.mark.long
def test_curl(served, expected):
    needs("curl")
    status, scores = (
        json.loads(run("sh", "-c", block.replace("127.0.0.1:8501", served[1]))) for block in blocks("sh", "clients.md")
    )
    assert [one["state"] for one in status["model_version_status"]] == ["AVAILABLE"]
    check({name: [row[name] for row in scores["predictions"]] for name in expected}, expected)
    refused = run("curl", "-s", "-d", '{"signature_name": "raw", "instances": [{"user": "u17"}]}',
                  "-w", "%{http_code}", f"http://{served[1]}/v1/models/shop:predict")  # fmt: skip
    assert "must only have keys" in refused
    assert refused.endswith("400")


@pytest.mark.long
def test_go(served, expected, tmp_path):
    needs("go")
    uv = Path(sys.executable).with_name("uv")
    folder = tmp_path / "go"
    shutil.copytree(PROGRAMS / "go", folder, ignore=shutil.ignore_patterns("prediction", "client"))
    env = {**os.environ, "GOBIN": str(tmp_path / "bin"), "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    text = next(block for block in blocks("text", "clients.md") if "go install" in block)
    install = [line for line in text.splitlines() if line.startswith("go install ")]
    assert len(install) == 2
    for line in install:
        run(*line.split(), cwd=tmp_path, env=env)
    (protoc,) = (line for line in text.splitlines() if line.startswith("protoc "))
    arguments = protoc.split()[1:-1] + sorted(path.name for path in folder.glob("*.proto"))
    # protoc comes as a Python package, so that the test needs no program of the system.
    packed = [uv, "tool", "run", "--from", "grpcio-tools", "python", "-m", "grpc_tools.protoc", "-I."]
    run(*packed, *arguments, cwd=folder, env=env)
    answer = json.loads(run("go", "run", ".", served[0], "shop", cwd=folder, env=env))
    check(answer, expected)
    run("go", "vet", ".", cwd=folder, env=env)


@pytest.mark.long
def test_java(export, expected, tmp_path):
    needs("mvn", "java")
    folder = tmp_path / "java"
    shutil.copytree(PROGRAMS / "java", folder, ignore=shutil.ignore_patterns("target"))
    (version,) = (path for path in export.iterdir() if path.name.isdigit())
    printed = run("mvn", "-q", "-B", "compile", "exec:java", f"-Dexec.args={version}", cwd=folder)
    (answer,) = re.findall(r"\{.*\}", printed)  # Maven writes escape codes before the first line.
    check(json.loads(answer), expected)
