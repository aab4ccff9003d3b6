"""Command `submit` against a server of the API: what it receives, and how it is found."""

import pathlib
import re
import shlex

import pytest
import yaml
from kubernetes.config import kube_config

from tests.pipelines.kubeflow.submission.calls import PLATFORM, SPECIFICATION, invoke, submit, write
from tests.pipelines.kubeflow.submission.pipelines_server import pipelines_server


def test_the_server_receives_both_documents_as_they_are(server):
    output = submit(server)
    (run,) = server.runs
    assert run["pipeline_spec"] == {"pipeline_spec": SPECIFICATION, "platform_spec": PLATFORM}
    assert run["experiment_id"] == "e1"
    assert run["display_name"].startswith("shop ")
    assert output == f"submitted shop -> {server.address}/#/runs/details/r1\n"


def test_the_commands_of_the_pages(server):
    repository = pathlib.Path(__file__).parents[4]
    text = "\n".join((repository / page).read_text(encoding="utf-8") for page in ("docs/kubeflow.md", "README.md"))
    found = re.findall(r"^tfmtl ((?:submit|schedule) .*)", text, re.MULTILINE)
    assert len(found) == 3
    for command in found:
        invoke(*shlex.split(command.replace("http://localhost:8080", server.address)))
    assert server.runs[0]["runtime_config"]["parameters"] == {"data": "s3://bucket/log"}
    assert server.schedules[0]["display_name"] == "shop-daily"


def test_a_specification_without_volumes_is_one_document(server):
    write(SPECIFICATION)
    submit(server)
    assert server.runs[0]["pipeline_spec"] == SPECIFICATION


def test_parameters_have_the_types_that_the_pipeline_declares(server):
    words = ["date=2026-11-28", "rows=20", "exact=true", "rates=[0.1, 0.2]", "data=s3://other/log?x=1"]
    submit(server, *(word for one in words for word in ("--parameter", one)))
    assert server.runs[0]["runtime_config"]["parameters"] == {
        "date": "2026-11-28",
        "rows": 20,
        "exact": True,
        "rates": [0.1, 0.2],
        "data": "s3://other/log?x=1",
    }


@pytest.mark.parametrize(
    ("words", "root"), [([], "gs://bucket/new"), (["--parameter", "root=gs://models"], "gs://models")]
)
def test_the_root_is_that_of_the_artifacts_and_of_the_models(server, words, root):
    submit(server, "--root", "gs://bucket/new", *words)
    assert server.runs[0]["runtime_config"] == {"parameters": {"root": root}, "pipeline_root": "gs://bucket/new"}


def test_the_root_is_no_parameter_of_a_pipeline_that_has_none(server):
    write({**SPECIFICATION, "root": {"dag": SPECIFICATION["root"]["dag"]}})
    submit(server, "--root", "gs://bucket/new")
    assert server.runs[0]["runtime_config"] == {"parameters": {}, "pipeline_root": "gs://bucket/new"}


def test_the_server_is_found_with_the_configuration_of_kubectl(server, monkeypatch):
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server.address}}],
        "users": [{"name": "me", "user": {}}],
    }
    pathlib.Path("none").write_text(yaml.safe_dump(config))
    # The client reads the variable KUBECONFIG when it is imported.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(pathlib.Path("none").absolute()))
    assert invoke("submit", "pipeline.yaml") == "submitted shop -> /pipeline/#/runs/details/r1\n"
    assert server.paths[0].startswith("/api/v1/namespaces/kubeflow/services/ml-pipeline:http/proxy/")
    output = invoke("submit", "pipeline.yaml", "--experiment", "my ads", code=2)
    assert "To create it: kfp experiment create 'my ads'" in output


@pytest.mark.parametrize("name", ["KF_PIPELINES_ENDPOINT", "KFP_ENDPOINT"])
def test_the_address_and_the_token_may_be_in_the_environment(monkeypatch, name):
    with pipelines_server(token="secret") as server:
        monkeypatch.setenv(name, server.address)
        monkeypatch.setenv("KFP_EXISTING_TOKEN", "secret")
        monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://cluster/pipeline/")
        output = invoke("submit", "pipeline.yaml")
    assert output == "submitted shop -> https://cluster/pipeline/#/runs/details/r1\n"
    assert "secret" not in output


def test_a_server_for_several_users_gets_the_namespace_and_an_experiment():
    with pipelines_server(multi_user=True) as server:
        server.experiments.clear()
        submit(server, "--namespace", "ads")
        assert server.experiments == [{"display_name": "Default", "namespace": "ads", "experiment_id": "e1"}]
        assert [request[3]["namespace"] for request in server.requests if request[:2] == ("GET", "experiments")]
        assert "refused the request: 400 Invalid input error: namespace is empty" in submit(server, code=2)
