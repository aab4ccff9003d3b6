"""Hash of a run's code: it changes with the code that determines scores and metrics, and with no other code."""

import importlib.metadata
import inspect
import pathlib

import pytest

from pipelines.compare.jobs import run_code_hash
from tfmtl.models import MODELS

REPOSITORY = pathlib.Path(__file__).parents[3]
TRAINED_AND_MEASURED = [
    "pipelines/code_hash.py",
    "pipelines/settings.py",
    "pipelines/compare/jobs.py",
    "pipelines/prepared/fit.py",
    "pipelines/prepared/ground_truth.py",
    "pipelines/prepared/prepared.py",
    "pipelines/prepared/row_order.py",
    "pipelines/prepared/row_sample.py",
    "pipelines/prepared/write_prepared.py",
    "pipelines/compare/fitters/boosting.py",
    "pipelines/compare/fitters/columns.py",
    "pipelines/compare/fitters/last_week.py",
    "pipelines/compare/fitters/network.py",
    "pipelines/compare/metrics/evaluate.py",
    "pipelines/compare/metrics/scenarios.py",
    "pipelines/compare/runs/run_job.py",
    "pipelines/components/transform_module.py",
    "pipelines/training/input_pipeline.py",
    "pipelines/training/trainer.py",
    "serving/raw_features.py",
    "tfmtl/layers/__init__.py",
    "tfmtl/metrics/auc.py",
    "tfmtl/models/mmoe.py",
    "tfmtl/optimizers/row_sparse.py",
    "tfmtl/training/meta_learning.py",
    "transforms/ingest/split.py",
    "transforms/preprocessing.py",
    "transforms/validation/validate.py",
]
PLANNED_AND_REPORTED = [
    "pipelines/cli.py",
    "pipelines/pipeline.py",
    "pipelines/terminal.py",
    "pipelines/commands/compare.py",
    "pipelines/preparation.py",
    "pipelines/compare/plan/candidates.py",
    "pipelines/search/declared.py",
    "pipelines/search/halving.py",
    "pipelines/search/proposals.py",
    "pipelines/fork_server.py",
    "pipelines/forked_worker.py",
    "pipelines/worker_process.py",
    "pipelines/compare/plan/settings.py",
    "pipelines/compare/report/claims.py",
    "pipelines/compare/report/figures.py",
    "pipelines/compare/report/health_sheets.py",
    "pipelines/compare/report/sheets.py",
    "pipelines/compare/report/table.py",
    "pipelines/compare/report/write.py",
    "pipelines/compare/runs/progress.py",
    "pipelines/compare/runs/outcome.py",
    "pipelines/compare/runs/parallel.py",
    "pipelines/compare/runs/published.py",
    "pipelines/compare/runs/runner.py",
    "pipelines/compare/runs/search.py",
    "pipelines/compare/runs/store.py",
    "pipelines/compare/runs/subprocesses.py",
    "pipelines/compare/runs/trial_records.py",
    "pipelines/compare/runs/worker.py",
    "pipelines/runners/local.py",
    "serving/client/blocking.py",
    "transforms/storage/locks.py",
]


def hash_with_edited(monkeypatch, *paths):
    """Hash of the code if a comment is added to these files."""
    files = [REPOSITORY / path for path in paths]
    assert all(file.exists() for file in files), paths
    read_bytes = pathlib.Path.read_bytes
    with monkeypatch.context() as edited:
        edited.setattr(pathlib.Path, "read_bytes", lambda path: read_bytes(path) + b"\n# edited" * (path in files))
        return run_code_hash()


@pytest.fixture(scope="module")
def current():
    return run_code_hash()


def test_hash_is_stable(current):
    assert current == run_code_hash()
    assert len(current) == 16


@pytest.mark.parametrize("path", TRAINED_AND_MEASURED)
def test_hash_changes_with_the_code_that_trains_and_measures(current, monkeypatch, path):
    assert hash_with_edited(monkeypatch, path) != current


def test_hash_does_not_change_with_the_code_that_plans_and_reports(current, monkeypatch):
    assert hash_with_edited(monkeypatch, *PLANNED_AND_REPORTED) == current


def test_hash_reads_the_file_of_every_model(monkeypatch):
    read, read_bytes = [], pathlib.Path.read_bytes
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    run_code_hash()
    assert {pathlib.Path(inspect.getfile(model)) for model in MODELS.values()} <= set(read)


@pytest.mark.parametrize("library", ["keras", "tensorflow", "lightgbm"])
def test_hash_changes_with_the_version_of_a_library(current, monkeypatch, library):
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1" if name == library else version(name))
    assert run_code_hash() != current
