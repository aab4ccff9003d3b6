"""Commands of docs/joining.md: three simulated logs become a log that the pipeline trains on, by span."""

import pathlib

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.components.example_gen import ingest_report
from pipelines.runners.lineage import latest_run
from pipelines.runners.local import RunPaths
from transforms.storage.files import find_files

REPOSITORY = pathlib.Path(__file__).parents[3]
ROWS = 30_000


@pytest.mark.long
@pytest.mark.parametrize(
    ("page", "name"),
    [("joining", "join"), ("late-conversions", "late_conversions")],
)
def test_commands_of_the_documentation(page, name, tmp_path, monkeypatch):
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    commands = [line.split()[1:] for line in text.splitlines() if line.startswith("tfmtl ") and "examples" in line]
    assert [command[0] for command in commands] == ["simulate", "join", "run"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    commands[0] += ["--rows", str(ROWS)]
    commands[2] += ["--no-report", "--no-reference"]
    for command in commands:
        done = CliRunner().invoke(main, command)
        assert done.exit_code in (0, 3), done.output  # So few conversions may not reach the thresholds.
    run = latest_run(RunPaths(tmp_path / "runs" / name).metadata)
    total = ingest_report(run.uri("LogExampleGen", "examples")).total
    assert sum(total.accepted.values()) == ROWS
    labels = [
        pq.read_table(path, columns=["click", "conversion"]) for path in find_files(f"runs/{name}/data/*/*.parquet")
    ]
    assert sum(table.num_rows for table in labels) == ROWS
    assert sum(sum(table.column("conversion").to_pylist()) for table in labels) > 100
