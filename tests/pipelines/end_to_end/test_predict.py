"""Command `tfmtl predict` on the server of a pushed model."""

import csv

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from serving.server import EmbeddedServer

pytestmark = pytest.mark.slow


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_predict_scores_a_csv_on_a_server(end_to_end, tmp_path):
    with EmbeddedServer({"demo": end_to_end.paths.serving("demo")}) as server:
        rows = end_to_end.data / "impressions.csv"
        out = tmp_path / "scores.csv"
        options = ["--model", "demo", "--host", server.address]
        written = invoke("predict", rows, *options, "--limit", 20, "--out", out)
        shown = invoke("predict", rows, *options, "--limit", 3)
        wrong = invoke("predict", rows, "--model", "nobody", "--host", server.address)
    assert written.exit_code == 0, written.output
    with out.open() as file:
        scored = list(csv.DictReader(file))
    assert len(scored) == 20
    for row in scored:
        assert float(row["ctcvr"]) == pytest.approx(float(row["ctr"]) * float(row["cvr"]), rel=1e-4)
    assert shown.exit_code == 0
    assert "3 rows scored by 'demo'" in shown.output
    assert wrong.exit_code == 1
    assert "Servable not found for request: Latest(nobody)" in wrong.output
