"""Mistakes with `submit` and `schedule`: experiments, parameters, files, addresses and tokens."""

import json
import pathlib
import socket
import time

import pytest
import yaml

from pipelines.kubeflow import connection
from tests.pipelines.kubeflow.submission.calls import SPECIFICATION, invoke, submit, write
from tests.pipelines.kubeflow.submission.pipelines_server import pipelines_server


def test_an_unknown_experiment_is_refused_with_those_that_exist(server):
    output = submit(server, "--experiment", "ads", code=2)
    assert "--experiment should be the name of an experiment: Default. Received: 'ads'" in output
    assert f"kfp --endpoint {server.address} experiment create ads" in output
    assert server.runs == []


def test_a_named_experiment_is_used(server):
    server.experiments.append({"experiment_id": "e7", "display_name": "ads"})
    submit(server, "--experiment", "ads")
    assert server.runs[0]["experiment_id"] == "e7"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dat=x", "--parameter should name one of: data, date, root, rows, exact, rates. Received: 'dat'"),
        ("date", "--parameter should be NAME=VALUE. Received: 'date'"),
        ("rows=2.5", "--parameter rows should be a whole number. Received: '2.5'"),
        ("exact=yes", "--parameter exact should be true or false. Received: 'yes'"),
        ("rates={}", "--parameter rates should be a list in JSON. Received: '{}'"),
    ],
)
def test_wrong_parameters_are_refused_before_a_request(server, word, message):
    assert message in submit(server, "--parameter", word, code=2)
    assert server.requests == []


def test_a_parameter_without_a_default_has_to_be_given(server):
    inputs = {"parameters": {"data": {"parameterType": "STRING"}}}
    write({**SPECIFICATION, "root": {**SPECIFICATION["root"], "inputDefinitions": inputs}})
    assert "--parameter should give: data. Received: none" in submit(server, code=2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("job.json", "{}", "job.json should be a .yaml file: .json is a job for Vertex AI. Its own client"),
        ("a.yaml", json.dumps({"pipelineSpec": {}}), "Received: a job for Vertex AI. Its own client submits it"),
        ("a.yaml", "name: shop", "a.yaml should be a specification that `tfmtl compile` wrote. Received: another YAML"),
        ("a.yaml", "", "Received: another YAML file"),
        ("a.yaml", "a: [", "Received: a file that is not YAML"),
        ("a.txt", "", "and end in .yaml. Received: a.txt"),
        ("a.yaml", yaml.safe_dump({**SPECIFICATION, "steps": {}}), "should be a pipeline that kfp knows. Received: "),
    ],
)
def test_another_file_is_refused(server, name, content, message):
    pathlib.Path(name).write_text(content)
    assert message in invoke("submit", name, "--host", server.address, code=2)
    assert server.runs == []


def test_no_address():
    output = invoke("submit", "pipeline.yaml", code=2)
    assert "--host should be the address of Kubeflow Pipelines, or KF_PIPELINES_ENDPOINT, such as http://" in output


def test_an_address_without_a_scheme_is_one_of_https(server):
    output = invoke("submit", "pipeline.yaml", "--host", server.address.removeprefix("http://"), code=2)
    assert f"{server.address.replace('http', 'https')} " in output


def test_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    start = time.monotonic()
    output = invoke("submit", "pipeline.yaml", "--host", address, code=2)
    assert f"{address} does not answer: " in output
    assert "refused" in output
    assert time.monotonic() - start < 5


def test_a_server_that_does_not_answer_in_time(monkeypatch):
    monkeypatch.setattr(connection, "SECONDS", (1.0, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert f"{address} does not answer: " in invoke("submit", "pipeline.yaml", "--host", address, code=2)


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_missing_or_wrong_token(monkeypatch, token):
    if token:
        monkeypatch.setenv("KFP_EXISTING_TOKEN", token)
    with pipelines_server(token="secret") as server:
        output = submit(server, code=2)
    assert "refused the request: 401 Unauthenticated: no valid token in the request" in output
    assert "environment variable KFP_EXISTING_TOKEN" in output


def test_a_page_to_log_in_is_not_taken_for_the_api(server):
    server.page = "<html>Log in</html>"
    output = submit(server, code=2)
    assert "should be the API of Kubeflow Pipelines. Received: a page, such as one to log in." in output
    assert "KFP_EXISTING_TOKEN" in output
