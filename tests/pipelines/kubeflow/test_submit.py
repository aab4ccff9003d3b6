"""Commands `submit` and `schedule` against a server of the API: what it receives, and what the user sees."""

import json
import pathlib
import re
import shlex
import socket
import time

import pytest
import yaml
from click.testing import CliRunner
from kubernetes.config import kube_config

from pipelines.cli import main
from pipelines.kubeflow import connection, following
from tests.pipelines.kubeflow.pipelines_server import pipelines_server

EXECUTOR = {"container": {"image": "registry/tfmtl:1", "command": ["python"], "resources": {"cpuLimit": 2.0}}}
SPECIFICATION = {
    "pipelineInfo": {"name": "shop"},
    "schemaVersion": "2.1.0",
    "deploymentSpec": {"executors": {"Transform_executor": EXECUTOR, "Trainer_executor": EXECUTOR}},
    "components": {
        "Transform": {"executorLabel": "Transform_executor"},
        "Trainer": {"executorLabel": "Trainer_executor"},
    },
    "root": {
        "inputDefinitions": {
            "parameters": {
                "data": {"parameterType": "STRING", "defaultValue": "s3://bucket/log"},
                "date": {"parameterType": "STRING", "defaultValue": ""},
                "root": {"parameterType": "STRING", "defaultValue": "s3://bucket/root"},
                "rows": {"parameterType": "NUMBER_INTEGER", "isOptional": True},
                "exact": {"parameterType": "BOOLEAN", "isOptional": True},
                "rates": {"parameterType": "LIST", "isOptional": True},
            }
        },
        "dag": {
            "tasks": {
                "Transform": {"componentRef": {"name": "Transform"}, "taskInfo": {"name": "Transform"}},
                "Trainer": {
                    "componentRef": {"name": "Trainer"},
                    "taskInfo": {"name": "Trainer"},
                    "dependentTasks": ["Transform"],
                },
            }
        },
    },
    "defaultPipelineRoot": "s3://bucket/root",
}
PLATFORM = {
    "platforms": {
        "kubernetes": {
            "deploymentSpec": {
                "executors": {"Trainer_executor": {"pvcMount": [{"mountPath": "/data", "constant": "data"}]}}
            }
        }
    }
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """The present folder with a compiled pipeline, and no address or token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    names = ("KF_PIPELINES_ENDPOINT", "KFP_ENDPOINT", "KFP_NAMESPACE", "KFP_EXISTING_TOKEN", "KUBERNETES_SERVICE_HOST")
    for name in (*names, "KF_PIPELINES_UI_ENDPOINT", "KF_PIPELINES_DEFAULT_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    write(SPECIFICATION, PLATFORM)


@pytest.fixture
def server():
    with pipelines_server() as found:
        yield found


def write(*documents, name="pipeline.yaml"):
    pathlib.Path(name).write_text(yaml.safe_dump_all(documents, sort_keys=False))


def invoke(*words, code=0):
    """Runs a command, checks its exit code and that it is short, and returns what it prints."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    if code == 2:
        assert 1 <= len(done.output.strip().splitlines()) <= 3, done.output
    return done.output


def submit(server, *words, code=0):
    return invoke("submit", "pipeline.yaml", "--host", server.address, *words, code=code)


def schedule(server, *words, code=0):
    return invoke("schedule", "pipeline.yaml", "--host", server.address, "--cron", "0 0 4 * * *", *words, code=code)


def test_the_server_receives_both_documents_as_they_are(server):
    output = submit(server)
    (run,) = server.runs
    assert run["pipeline_spec"] == {"pipeline_spec": SPECIFICATION, "platform_spec": PLATFORM}
    assert run["experiment_id"] == "e1"
    assert run["display_name"].startswith("shop ")
    assert output == f"submitted shop -> {server.address}/#/runs/details/r1\n"


def test_the_commands_of_the_pages(server):
    repository = pathlib.Path(__file__).parents[3]
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


def task(state, minute, start=0):
    day = "2026-11-28T04"
    end = {"end_time": f"{day}:{minute:02}:00Z"} if state in ("SUCCEEDED", "FAILED") else {}
    return {"state": state, "start_time": f"{day}:{start:02}:00Z", **end}


def local(minute):
    return time.strftime("%H:%M:%S", time.localtime(1795838400 + 60 * minute))


def test_wait_prints_each_change_of_a_step_with_its_time(server):
    transform, driver = task("SUCCEEDED", 3, 1), task("SUCCEEDED", 4, 3)
    server.states = [
        ("PENDING", {}),
        ("RUNNING", {"root": task("RUNNING", 0), "Transform-driver": task("RUNNING", 0, 1)}),
        ("RUNNING", {"Transform-driver": task("SUCCEEDED", 1), "Transform": task("RUNNING", 0, 1)}),
        ("RUNNING", {"Transform": transform, "Trainer-driver": driver}),
        ("RUNNING", {"Transform": transform, "Trainer-driver": driver, "Trainer": task("RUNNING", 0, 4)}),
        ("SUCCEEDED", {"Transform": transform, "Trainer-driver": driver, "Trainer": task("SUCCEEDED", 9, 4)}),
    ]
    server.failures = [502]
    assert submit(server, "--wait").splitlines()[1:] == [
        f"  {local(1)}  Transform                running",
        f"  {local(3)}  Transform                succeeded",
        f"  {local(3)}  Trainer                  running",
        f"  {local(9)}  Trainer                  succeeded",
        "run succeeded",
    ]


def test_wait_ends_with_3_and_names_the_failed_steps(server):
    transform = task("SUCCEEDED", 2)
    server.states = [
        ("RUNNING", {"Transform": transform, "Trainer": task("RUNNING", 0, 2)}),
        ("FAILED", {"Transform": transform, "Trainer": task("FAILED", 5, 2)}),
    ]
    assert submit(server, "--wait", code=3).splitlines()[-2:] == [
        f"  {local(5)}  Trainer                  failed",
        "run failed: Trainer: the step was refused",
    ]


def test_a_step_fails_with_its_driver(server):
    server.states = [("FAILED", {"Transform": {"state": "PENDING"}, "Transform-driver": task("FAILED", 2)})]
    assert "run failed: Transform: the step" in submit(server, "--wait", code=3)


def test_wait_ends_if_the_run_is_canceled(server):
    server.states = [("CANCELED", {})]
    assert submit(server, "--wait", code=3).splitlines()[-1] == "run canceled"


def test_wait_ends_if_the_server_is_away_for_long(server, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.05)
    server.failures = [503] * 1000
    done = CliRunner().invoke(main, ["submit", "pipeline.yaml", "--host", server.address, "--wait"])
    assert done.exit_code == 2
    assert f"Error: {server.address} refused the request: 503 upstream is away" in done.output


def test_the_server_receives_the_schedule(server):
    output = schedule(server, "--name", "daily", "--max-concurrency", 2, "--no-catchup", "--parameter", "date=x")
    (one,) = server.schedules
    assert one["pipeline_spec"] == {"pipeline_spec": SPECIFICATION, "platform_spec": PLATFORM}
    assert one["trigger"] == {"cron_schedule": {"cron": "0 0 4 * * *"}}
    assert one["runtime_config"] == {"parameters": {"date": "x"}}
    assert (one["display_name"], one["max_concurrency"], one["no_catchup"]) == ("daily", 2, True)
    assert (one["mode"], one["experiment_id"]) == ("ENABLE", "e1")
    page = f"{server.address}/#/recurringrun/details/{one['recurring_run_id']}"
    assert output == f"scheduled daily at '0 0 4 * * *' -> {page}\n"


def test_a_schedule_replaces_one_of_the_same_name(server):
    server.schedules = [
        {"recurring_run_id": "old", "display_name": "shop", "experiment_id": "e1"},
        {"recurring_run_id": "other", "display_name": "shops", "experiment_id": "e1"},
        {"recurring_run_id": "another", "display_name": "shop", "experiment_id": "e2"},
    ]
    assert "at '0 0 4 * * *', in place of 1 of this name ->" in schedule(server)
    assert [one["recurring_run_id"] for one in server.schedules][:2] == ["other", "another"]
    assert server.schedules[2]["no_catchup"] is False
    assert len(server.schedules) == 3


def test_a_refused_schedule_leaves_the_earlier_one(server):
    server.schedules = [{"recurring_run_id": "old", "display_name": "shop", "experiment_id": "e1"}]
    server.error = 400, {"message": "Invalid input error: the cron schedule is wrong"}
    assert "refused the request: 400 Invalid input error: the cron" in schedule(server, code=2)
    assert len(server.schedules) == 1


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


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("0 4 * * *", "Received: '0 4 * * *'. The same with seconds is '0 0 4 * * *'"),
        ("0 0 24 * * *", "--cron should have a hour of 0 to 23, *, a range or a step. Received: '24'"),
        ("0 0 4 * * FRY", "day of the week of 0 to 6 or sun to sat"),
        ("0 0 4 5-1 * *", "Received: '5-1' in '0 0 4 5-1 * *'"),
        ("0 */0 4 * * *", "Received: '*/0'"),
    ],
)
def test_a_wrong_cron_expression_is_refused(server, cron, message):
    words = ["schedule", "pipeline.yaml", "--host", server.address, "--cron", cron]
    assert message in invoke(*words, code=2)
    assert server.requests == []


@pytest.mark.parametrize("cron", ["0 0 4 * * *", "30 */15 0-6 1,15 JAN-mar ?", "0 0 4 ? * MON-FRI", "0 5/10 * * * 0"])
def test_cron_expressions_of_kubeflow_are_accepted(server, cron):
    invoke("schedule", "pipeline.yaml", "--host", server.address, "--cron", cron)
    assert server.schedules[0]["trigger"]["cron_schedule"]["cron"] == cron
