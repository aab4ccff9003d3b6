"""The simulated week: outcomes of its runs, versions of the server, and AUC that rises."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).parents[3]
OUTCOMES = ["pushed", "pushed", "pushed", "log refused", "pushed", "model refused", "pushed"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_week_with_a_bad_log_and_a_bad_model(tmp_path):
    out = tmp_path / "week"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.week", "--out", str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    week = json.loads((out / "week.json").read_text())
    days = week["days"]
    assert [day["outcome"] for day in days] == OUTCOMES
    assert [day["exit_code"] for day in days] == [0, 0, 0, 4, 0, 3, 0]
    assert days[3]["reason"] == "The data should be like the reference, but 1 check failed, on price."
    assert days[5]["reason"].startswith("the auc of ctr changed by -")

    versions = [day["version"] for day in days]
    assert versions == sorted(versions)
    assert (len(set(versions)), versions[2], versions[4]) == (5, versions[3], versions[5])
    assert set(week["answers"]) == {str(version) for version in versions}
    assert week["failures"] == []
    assert sum(week["answers"].values()) > 100

    users = [day["users"] for day in days if day["users"]]
    assert users[0] < users[1] < users[2]
    aucs = [day["auc"]["ctr"] for day in days if day["auc"]]
    assert len(aucs) == 6
    assert min(aucs[3:]) > aucs[0] + 0.01
    assert days[5]["refused_auc"]["ctr"] < days[5]["auc"]["ctr"] - 0.02
    assert (out / "week.png").stat().st_size > 10_000
    for day in days:
        assert day["day"] in done.stdout
        assert f"{day['version']} answers" in done.stdout
