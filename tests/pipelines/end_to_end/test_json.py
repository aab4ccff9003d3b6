"""JSON of the commands about a log and its runs: one document on stdout, with the numbers of the tables."""

import json

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipelines.test_data_checks_run import SETTINGS, write_day, write_renamed

pytestmark = pytest.mark.slow
RUN = ("run", "shop.yaml", "--no-report", "--data")


def invoke(*words):
    return CliRunner().invoke(main, [*words], catch_exceptions=False)


def document(*words, code=0):
    done = invoke(*words, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SETTINGS)
    write_day(tmp_path, "monday.csv", 0)
    write_renamed(tmp_path, "renamed.csv")


@pytest.mark.usefixtures("_folder")
def test_documents_have_the_numbers_of_the_tables():
    found = document(*RUN, "monday.csv")
    table = invoke(*RUN, "monday.csv").stdout
    assert {one["slice"] for one in found["metrics"]} == {"", "feed", "search"}
    for one in found["metrics"]:
        assert f"{one['auc']:.4f}" in table
        assert len(repr(one["auc"])) > 8, "all digits"
    assert found["blessed"] is True
    assert f"{len(found['gates'])} passed" in table
    assert found["rows"]["read"] == 1200
    assert found["reference_auc"] is None

    ((folder, runs),) = document("runs", "shop").items()
    assert folder.endswith("runs/shop")
    pushed = runs[0]
    assert str(pushed["record"]["pushed_version"]) == str(found["pushed_version"])
    assert document("runs", "show", "1", "shop")["record"]["metrics"]["ctr"]["auc"] == found["metrics"][0]["auc"]
    checked = document("export-check", found["destination"])
    assert checked["errors"] == []
    scored = document("score", found["destination"], "--data", "monday.csv", "--out", "scores.csv")
    assert (scored["scored"], scored["rejected"]) == (1200, {})

    refused = document(*RUN, "renamed.csv", code=4)
    assert refused["blessed"] is None
    columns = {one["column"] for one in refused["anomalies"]}
    assert columns <= {"scenario", "city", "price"}
    quiet = invoke("-q", *RUN, "renamed.csv")
    assert quiet.exit_code == 4
    assert all(column in quiet.stdout for column in columns)
    assert "LogExampleGen" not in quiet.output
    cleaned = document("clean", "shop", "--keep", "1")
    assert cleaned["removed"] is False
    assert isinstance(cleaned["bytes"], int)


@pytest.mark.usefixtures("_folder")
def test_init_and_schema():
    profile = document("init", "monday.csv", "--task", "clicked")
    assert [one["column"] for one in profile["columns"]] == ["scenario", "city", "price"]
    assert profile["rows"] == 1200
    (task,) = profile["tasks"]
    assert (
        f"positive in {task['positives']:,} of 1,200 rows"
        in invoke("init", "monday.csv", "--task", "clicked", "--overwrite").stdout
    )
    again = invoke("init", "monday.csv", "--task", "clicked", "--json")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "--out should be a new file" in again.stderr
    schema = document("schema", "shop.yaml", "--data", "monday.csv")
    assert schema["path"] == "shop.schema.pbtxt"
    assert set(schema["columns"]) >= {"scenario", "city", "price"}
