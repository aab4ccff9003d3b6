"""Koubei, where it is: the README's commands, from daily rows to the scores of a server."""

import os
import pathlib

import pandas as pd
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.evaluation.results import read_metrics
from pipelines.runners.lineage import latest_run
from pipelines.runners.local import RunPaths
from pipelines.settings_file import load_settings
from serving.server import EmbeddedServer
from tfmtl.metrics import nmae

REPOSITORY = pathlib.Path(__file__).parents[2]
KOUBEI = pathlib.Path(os.environ.get("TFMTL_DATA", "")) / "koubei"


def invoke(*words):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not KOUBEI.is_dir(), reason="needs Koubei (Tianchi dataset 187) in $TFMTL_DATA/koubei")
def test_commands_of_the_documentation(tmp_path, monkeypatch):
    text = (REPOSITORY / "docs" / "datasets.md").read_text(encoding="utf-8")
    commands = [line.split() for line in text.splitlines() if line.startswith("tfmtl") and "koubei" in line]
    assert [command[1] for command in commands] == ["ingest", "run"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    (tmp_path / "koubei").symlink_to(KOUBEI)
    printed = [invoke(*command[1:]) for command in commands]
    assert "statistics are computed on a sample: one row in 2\n" in printed[1]
    assert "pushed version" in printed[1]
    paths = RunPaths(tmp_path / "runs" / "koubei_m2m")
    settings = load_settings("examples/koubei_m2m.yaml")
    run = latest_run(paths.metadata)
    errors = {row.output.name: row.nmae for row in read_metrics(settings.spec, run.uri("Evaluator", "evaluation"))[:2]}
    assert errors["pay_next_week"] < 0.21
    assert errors["view_next_week"] < 0.5
    rows = pd.read_csv("koubei-panels/panels.csv", dtype=str, keep_default_na=False)
    rows = rows[rows["date"] >= settings.spec.split.test_from]
    rows.to_csv("test.csv", index=False)
    with EmbeddedServer({"koubei_m2m": paths.serving("koubei_m2m")}) as server:
        invoke("predict", "test.csv", "--model", "koubei_m2m", "--host", server.address, "--out", "scores.csv")
    scores = pd.read_csv("scores.csv")
    assert len(scores) == len(rows)
    for output, label in (("pay_next_week", "pay_7d"), ("view_next_week", "view_7d")):
        assert nmae(rows[label].astype(float), scores[output]) == pytest.approx(errors[output], rel=1e-4)
