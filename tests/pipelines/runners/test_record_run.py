"""Record of a run that does not finish: its settings, data and error."""

import dataclasses

import pytest

from pipelines.runners.history.runs import read_runs
from pipelines.runners.metadata_store import DATABASE
from pipelines.runners.record_run import recorded_run
from pipelines.settings_file import load_settings
from tests.pipelines.runners.past_runs import PastRuns
from tests.pipelines.shop_log import write_shop
from tfmtl.config import ConfigError


@pytest.mark.parametrize(
    ("error", "result", "message"),
    [
        (ConfigError("log.csv: is empty\nsecond line"), "failed", "log.csv: is empty"),
        (KeyError("user"), "failed", "KeyError: 'user'"),
        (KeyboardInterrupt(), "interrupted", ""),
    ],
)
def test_an_error_is_recorded_and_raised(tmp_path, error, result, message):
    path, log = write_shop(tmp_path)
    settings = load_settings(path, data=log)
    data = dataclasses.replace(settings.data, pattern="day-{SPAN}.csv")
    settings = dataclasses.replace(settings, data=data)
    runs = PastRuns(tmp_path / "run")

    def run_and_fail():
        with recorded_run(settings, (3, 4), tmp_path / "run" / DATABASE, "serving") as start:
            runs.start("2026-11-17T03:00:00")
            start()
            raise error

    with pytest.raises(type(error)):
        run_and_fail()
    (run,) = read_runs(tmp_path / "run")
    assert (run.result, run.record.error) == (result, message)
    assert run.record.spans == ("3", "4")
    assert run.record.spec_hash == settings.spec.hash
    assert run.record.settings["data"]["path"] == log
    assert run.record.ended > run.started[:10]


def test_an_error_before_the_first_step_is_not_recorded(tmp_path):
    """The newest run of the store is an earlier one then."""
    path, log = write_shop(tmp_path)
    runs = PastRuns(tmp_path / "run")
    runs.day("2026-11-17T03:00:00")
    with pytest.raises(KeyError), recorded_run(load_settings(path, data=log), (), tmp_path / "run" / DATABASE, ""):
        raise KeyError
    assert [run.result for run in read_runs(tmp_path / "run")] == ["pushed"]
