"""MovieLens from the command line, compared with one-hot logistic regression on the same rows."""

import os
import pathlib

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.components.example_gen import ingest_report
from pipelines.evaluation.logistic_regression import fit_reference
from pipelines.evaluation.results import overall_auc, read_metrics
from pipelines.runners.lineage import latest_run
from pipelines.runners.local import RunPaths
from pipelines.settings_file import load_settings

DATA = pathlib.Path(os.environ.get("TFMTL_DATA", "")) / "movielens"
EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "movielens.yaml"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(
    not DATA.is_dir(), reason="needs MovieLens-1M (grouplens.org/datasets/movielens/1m) in $TFMTL_DATA/movielens"
)
def test_mmoe_beats_one_hot_logistic_regression_on_the_same_rows(tmp_path):
    result = CliRunner().invoke(main, ["run", str(EXAMPLE), "--data", str(DATA), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "pushed version" in result.output
    assert "logistic" in result.output
    settings = load_settings(EXAMPLE)
    run = latest_run(RunPaths(tmp_path).metadata)
    model = overall_auc(read_metrics(settings.spec, run.uri("Evaluator", "evaluation")))
    examples = run.uri("LogExampleGen", "examples")
    train_rows = ingest_report(examples).total.accepted["train"]
    reference = fit_reference(settings.spec, examples, tmp_path, train_rows).auc
    assert set(model) == set(reference) == {"liked", "loved", "loved_given_liked"}
    for output, auc in reference.items():
        assert auc > 0.7
        assert model[output] >= auc, output
        assert f"{auc:.4f}" in result.output
    assert model["liked"] >= 0.783
    assert model["loved"] >= 0.800
