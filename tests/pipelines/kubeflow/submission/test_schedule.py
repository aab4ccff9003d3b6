"""Command `schedule` against a server of the API: schedules and cron expressions."""

import pytest

from tests.pipelines.kubeflow.submission.calls import PLATFORM, SPECIFICATION, invoke, schedule


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
