"""Table and plot of a week, its log, and the thread that sends requests."""

import io
import time

import grpc
import pandas as pd
import pytest
from rich.console import Console

from pipelines.settings_file import load_settings
from pipelines.week.daily_log import DAYS, POISONED, DailyLog
from pipelines.week.figure import plot_week
from pipelines.week.results import Day, results_table
from pipelines.week.simulate_week import SETTINGS, simulate_week
from pipelines.week.traffic import Traffic
from serving.client import Predictions
from serving.errors import PredictionError
from tests.pipelines.week.test_week import REPOSITORY
from tfmtl.config import ConfigError

RESULTS = [
    Day("2026-11-16", 100, 0, "20 gates passed", 7, 40, {"ctr": 0.61}),
    Day("2026-11-17", 100, 4, "The data should be like the reference, but 1 check failed, on price.", 7),
    Day("2026-11-18", 100, 3, "The model was not pushed: the auc of ctr is 0.52.", 7, 50, {"ctr": 0.62}, {"ctr": 0.52}),
]


def test_the_table_says_what_happened():
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(results_table(RESULTS, ["ctr"]))
    lines = console.export_text().splitlines()
    assert "2026-11-16" in lines[4]
    assert "pushed" in lines[4]
    assert "0.610" in lines[4]
    assert "log refused" in lines[5]
    assert "on price." in lines[5]
    assert "0.6" not in lines[5]
    assert "model refused" in lines[6]
    assert "0.620" in lines[6]


def test_the_plot_is_written_without_outputs_of_refused_days(tmp_path):
    plot_week(RESULTS, ["ctr", "cvr"], tmp_path / "week.png")
    assert (tmp_path / "week.png").read_bytes().startswith(b"\x89PNG")


def test_a_day_of_the_log_has_other_prices_only(tmp_path):
    text = (REPOSITORY / SETTINGS).read_text().replace("rows: 210000", "rows: 700")
    (tmp_path / "week.yaml").write_text(text)
    log = DailyLog(load_settings(tmp_path / "week.yaml"), tmp_path / "log")
    assert log.rows == 100
    written = {day: pd.read_csv(log.write(day)) for day in DAYS}
    whole = pd.read_csv(tmp_path / "simulated/impressions.csv")
    for number, (day, rows) in enumerate(written.items()):
        expected = whole.iloc[100 * number : 100 * (number + 1)].reset_index(drop=True)
        if day == POISONED:
            expected = expected.assign(price=(expected["price"] * 100).round())
        pd.testing.assert_frame_equal(rows, expected, check_dtype=False)


class Server:
    """Client whose server answers with a version, or fails."""

    def __init__(self):
        self.version = 3

    def predict(self, rows):
        assert len(rows) == 8
        if self.version is None:
            raise PredictionError(grpc.StatusCode.UNAVAILABLE, "no answer")
        return Predictions({}, self.version)


def test_traffic_counts_versions_and_failures():
    server = Server()
    traffic = Traffic(server, [{}] * 20)
    traffic.wait_for(3, 30)
    server.version = 4
    traffic.wait_for(4, 30)
    server.version = None
    end = time.monotonic() + 30
    while not traffic.failures and time.monotonic() < end:
        time.sleep(0.01)
    traffic.stop()
    assert set(traffic.answers) == {3, 4}
    assert all("no answer" in message for message in traffic.failures)
    with pytest.raises(TimeoutError, match=r"version 5 should answer within 0 s. Received: 3, 4"):
        traffic.wait_for(5, 0)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(ConfigError, match="--out should be a new folder"):
        simulate_week(REPOSITORY / SETTINGS, tmp_path)
    assert (tmp_path / "mine").exists()
