"""Options of `tfmtl serve`."""

import pytest
from click.testing import CliRunner

from pipelines.cli import main


@pytest.fixture
def model(tmp_path):
    (tmp_path / "shop" / "1").mkdir(parents=True)
    return str(tmp_path / "shop")


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--max-message-bytes", "0", "max-message-bytes should be from 1 to 2147483647. Received: 0"),
        ("--max-batch", "0", "max-batch should be at least 1. Received: 0"),
        ("--max-concurrency", "0", "max-concurrency should be at least 1. Received: 0"),
        ("--max-queue", "-1", "max-queue should be at least 0. Received: -1"),
    ],
)
def test_limits_out_of_range(model, option, value, text):
    result = CliRunner().invoke(main, ["serve", model, option, value])
    assert result.exit_code == 2
    assert f"--{text}" in result.output


def test_limits_reach_the_server(model, monkeypatch):
    started = []

    class Recorder:
        address = "127.0.0.1:0"

        def __init__(self, models, **options):
            started.append(options)

        def start(self):
            return self

        def wait(self):
            """Returns at once."""

        stop = wait

    monkeypatch.setattr("pipelines.commands.serve.EmbeddedServer", Recorder)
    limits = ["--max-message-bytes", "1000", "--max-batch", "5", "--max-concurrency", "2", "--max-queue", "0"]
    assert CliRunner().invoke(main, ["serve", model, "--port", "0", *limits]).exit_code == 0
    assert CliRunner().invoke(main, ["serve", model, "--port", "0"]).exit_code == 0
    common = {"host": "127.0.0.1", "port": 0, "poll_seconds": 2.0}
    given = {"max_message_bytes": 1000, "max_batch": 5, "max_concurrency": 2, "max_queue": 0}
    assert started == [common | given, common]
