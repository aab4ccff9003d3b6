"""Clean-up of a run folder: what stays, what goes, and what ML Metadata says afterwards."""

import pathlib

import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.cli import main
from pipelines.pushing.destination import versions
from pipelines.pushing.push import push
from pipelines.pushing.retention import unneeded_versions
from pipelines.pushing.rollback import roll_back
from pipelines.runners.history.retention import disk_bytes, find_unneeded
from pipelines.runners.run_lock import lock_run_folder
from tests.pipelines.pushing.test_push import write_model
from tests.pipelines.runners.past_runs import PastRuns


@pytest.fixture
def days(tmp_path):
    """Five daily runs with a warm start, the last two refused; the artifacts of each."""
    runs = PastRuns(tmp_path / "run")
    made = []
    for day in range(10, 15):
        base = next((one for one in reversed(made[:3]) if one), None)
        made.append(runs.day(f"2026-11-{day}", blessed=day < 13, start=base))
    return runs, made


def names(root, artifacts):
    return {str(pathlib.Path(artifact.uri).relative_to(root / "pipeline").parent) for artifact in artifacts}


def states(runs):
    return {artifact.id: artifact.state for artifact in runs.store.get_artifacts()}


def test_last_runs_latest_blessed_model_and_start_of_a_run_stay(days):
    """The last run started from the third day's model, the latest blessed one, whose weights and log stay with it."""
    runs, made = days
    unneeded = {artifact.id for artifact in find_unneeded(runs.root, 1).artifacts}
    assert {made[2][key].id for key in ("model", "model_run", "blessing", "examples", "statistics")} & unneeded == set()
    assert not {artifact.id for artifact in made[4].values()} & unneeded
    others = {artifact.id for day in (0, 1, 3) for artifact in made[day].values()}
    assert unneeded == others | {made[2]["pushed_model"].id}


@pytest.mark.parametrize("keep", [1, 2, 3, 4, 5, 9])
def test_the_runs_that_are_kept_are_whole(days, keep):
    runs, made = days
    unneeded = {artifact.id for artifact in find_unneeded(runs.root, keep).artifacts}
    assert not unneeded & {artifact.id for day in made[-keep:] for artifact in day.values()}
    assert bool(unneeded) == (keep < len(made))


def test_a_log_that_the_user_accepted_stays_if_its_model_is_refused(days):
    """The runs after it are refused as well; the next one is compared with the accepted log."""
    runs, _ = days
    accepted = runs.day("2026-11-15", blessed=False)
    check = {"anomalies": "ExampleAnomalies"}
    inputs = [accepted["statistics"], accepted["examples"]]
    (report,) = runs.step("ExampleValidator", check, inputs, accepted_by_user=1).values()
    for day in (16, 17):
        refused = runs.day(f"2026-11-{day}", blessed=False)
        runs.step("ExampleValidator", check, [refused["statistics"], refused["examples"]], accepted_by_user=0)
    unneeded = {artifact.id for artifact in find_unneeded(runs.root, 1).artifacts}
    assert not unneeded & {report.id, accepted["examples"].id, accepted["statistics"].id}
    assert accepted["model"].id in unneeded


def test_a_rolled_back_model_does_not_keep_its_log(days):
    runs, made = days
    blessing = made[2]["blessing"]
    blessing.custom_properties["blessed"].int_value = 0
    runs.store.put_artifacts([blessing])
    runs.day("2026-11-15", blessed=False)
    unneeded = {artifact.id for artifact in find_unneeded(runs.root, 1).artifacts}
    assert not unneeded & {made[1][key].id for key in ("model", "model_run", "examples", "statistics")}
    assert made[2]["statistics"].id in unneeded


def test_artifacts_from_the_cache_of_a_kept_run_stay(days):
    runs, made = days
    runs.start("2026-11-15")
    runs.step("LogExampleGen", {"examples": made[0]["examples"]}, cached=True)
    unneeded = {artifact.id for artifact in find_unneeded(runs.root, 1).artifacts}
    assert made[0]["examples"].id not in unneeded
    assert made[0]["model"].id in unneeded


def test_the_folder_that_the_settings_start_from_stays(days):
    runs, made = days
    folder = f"elsewhere/{pathlib.Path(made[0]['model_run'].uri).relative_to(runs.root)}"
    for day, keep in ((15, 1), (16, 2)):
        runs.day(
            f"2026-11-{day}", settings={"training": {"warm_start": folder}} if day == 15 else {}, status="finished"
        )
        unneeded = {artifact.id for artifact in find_unneeded(runs.root, keep).artifacts}
        assert made[0]["model_run"].id not in unneeded
        assert made[1]["model_run"].id in unneeded
    assert made[0]["model_run"].id in {artifact.id for artifact in find_unneeded(runs.root, 1).artifacts}


def test_clean_lists_and_then_removes(days):
    runs, _ = days
    killed = runs.root / "pipeline/Trainer/model/1"  # The number of an execution that wrote no model.
    killed.mkdir(parents=True)
    fresh = runs.root / "pipeline/Trainer/model/999"
    fresh.mkdir(parents=True)
    before = {path for path in runs.root.rglob("*") if "lock" not in path.name}
    listed = CliRunner().invoke(main, ["clean", str(runs.root), "--keep", "1"])
    assert listed.exit_code == 0, listed.output
    assert "19 artifacts and 1 unfinished outputs" in listed.output.replace("\n", " ")
    assert "--yes removes them" in listed.output.replace("\n", " ")
    assert {path for path in runs.root.rglob("*") if "lock" not in path.name} == before
    unneeded = find_unneeded(runs.root, 1).artifacts
    done = CliRunner().invoke(main, ["clean", str(runs.root), "--keep", "1", "--yes"])
    assert done.exit_code == 0, done.output
    assert not killed.exists()
    assert fresh.exists()
    removed = {artifact.id for artifact in unneeded}
    for artifact in runs.store.get_artifacts():
        expected = mlmd.Artifact.DELETED if artifact.id in removed else mlmd.Artifact.LIVE
        assert artifact.state == expected
        assert pathlib.Path(artifact.uri).exists() == (artifact.id not in removed)
    again = CliRunner().invoke(main, ["clean", str(runs.root), "--keep", "1"])
    assert "0 versions, 0 artifacts and 0 unfinished" in again.output.replace("\n", " ")


def test_a_clean_up_that_was_killed_is_completed_by_the_next(days):
    """Between the two states of an artifact, its folder may be gone or not."""
    runs, _ = days
    one = find_unneeded(runs.root, 1).artifacts[0]
    one.state = mlmd.Artifact.MARKED_FOR_DELETION
    runs.store.put_artifacts([one])
    assert one.id in {artifact.id for artifact in find_unneeded(runs.root, 1).artifacts}
    CliRunner().invoke(main, ["clean", str(runs.root), "--keep", "1", "--yes"])
    assert states(runs)[one.id] == mlmd.Artifact.DELETED
    assert not pathlib.Path(one.uri).exists()


def test_clean_waits_for_no_run(days):
    runs, _ = days
    with lock_run_folder(runs.root):
        result = CliRunner().invoke(main, ["clean", str(runs.root), "--yes"])
    assert result.exit_code == 2
    assert "should be used by one run at a time. Received: process" in result.output.replace("\n", " ")


def test_linked_files_count_once(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    (tmp_path / "a/file").write_text("x" * 100)
    (tmp_path / "b/file").hardlink_to(tmp_path / "a/file")
    (tmp_path / "b/other").write_text("x" * 10)
    assert disk_bytes([tmp_path / "a", tmp_path / "b", tmp_path / "missing"]) == 110


@pytest.fixture
def base(tmp_path):
    return str(tmp_path / "serving/shop")


def push_all(tmp_path, base, models):
    return [push(write_model(tmp_path / f"model_{name}", name), base) for name in models]


def test_the_newest_versions_stay(tmp_path, base):
    numbers = push_all(tmp_path, base, "abcd")
    for keep in (1, 2, 3, 4, 9):
        assert list(unneeded_versions(base, keep)) == numbers[: max(0, 4 - keep)]


def test_the_served_version_stays_if_newer_ones_are_broken(tmp_path, base):
    numbers = push_all(tmp_path, base, "abcd")
    for number in numbers[2:]:
        pathlib.Path(base, str(number), "saved_model.pb").unlink()
    assert list(unneeded_versions(base, 1)) == [numbers[0], numbers[2]]


def test_after_a_rollback_the_versions_of_another_one_stay(tmp_path, base):
    """Served is `b` again; `a` is what a further rollback leads to, with two models kept."""
    first, second, third = push_all(tmp_path, base, "abc")
    again = roll_back(base).version
    assert list(unneeded_versions(base, 2)) == [second]
    assert list(versions(base)) == [first, second, third, again]
    assert list(unneeded_versions(base, 1)) == [first, second, third]
