"""Samples of the training rows: deterministic, nested and random; and a trial on one, which reads no test split."""

import json

import numpy as np
import pytest
import tensorflow as tf

from pipelines.compare.jobs import NO_SEED, Job
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.runs.result import RESULT, SCORES, Result
from pipelines.compare.runs.run_job import run_job
from pipelines.evaluation.one_hot_regression import OneHotRegression
from pipelines.prepared import fit
from pipelines.prepared.columns import Columns, write_columns
from pipelines.prepared.prepared import EXAMPLES, PREPARED, Prepared
from pipelines.prepared.row_sample import sampled, write_sample
from pipelines.training_settings import TrainingSettings
from tests.pipelines.evaluation.test_logistic_regression import SETTINGS, draw_rows, write_split
from tfmtl.config import Document, build, parse_yaml
from tfmtl.spec import DatasetSpec

SPEC = build(DatasetSpec, Document({**parse_yaml(SETTINGS).data["spec"]}))
ROWS = {"train": 901, "eval": 100, "test": 50}


@pytest.fixture
def data(tmp_path):
    """Prepared data without a test split."""
    examples = tmp_path / EXAMPLES
    examples.mkdir()
    drawn = {split: draw_rows(ROWS[split], seed) for seed, split in enumerate(("train", "eval"))}
    for split, columns in drawn.items():
        write_split(tmp_path, split, columns)
        records = read(str(path) for path in (tmp_path / f"Split-{split}").glob("*"))
        for i, part in enumerate(np.array_split(np.arange(len(records)), 3)):
            with tf.io.TFRecordWriter(str(examples / f"{split}-{i:05d}-of-00003.gz"), "GZIP") as writer:
                for row in part:
                    writer.write(records[row])
    labels = {task.name: np.asarray(drawn["eval"][task.label], np.float32) for task in SPEC.tasks}
    write_columns(tmp_path, "eval", Columns(labels))
    (tmp_path / PREPARED).write_text(json.dumps({"spec": SPEC.to_dict(), "fingerprint": "f00d", "rows": ROWS}))
    return Prepared.load(tmp_path)


def read(files):
    return list(tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").as_numpy_iterator())


@pytest.mark.parametrize(("fraction", "rows"), [(1 / 9, 100), (1 / 3, 300), (0.0001, 1)])
def test_sample_has_the_first_rows_of_the_files(data, fraction, rows):
    write_sample(data, fraction)
    sample = sampled(data, fraction)
    assert read(sample.files("train")) == read(data.files("train"))[:rows]
    assert sample.rows == {**ROWS, "train": rows}
    assert sample.files("eval") == data.files("eval")
    assert sample.fingerprint == data.fingerprint
    assert sample.whole() == data


def test_all_rows_need_no_sample(data):
    write_sample(data, 1.0)
    assert sampled(data, 1.0) is data
    assert not list((data.folder / EXAMPLES).glob("sample*"))


def test_sample_is_written_once_and_must_exist(data):
    with pytest.raises(FileNotFoundError, match="should hold the sample"):
        sampled(data, 0.5)
    write_sample(data, 0.5)
    files = sampled(data, 0.5).files("train")
    before = [tf.io.gfile.stat(name).mtime_nsec for name in files]
    write_sample(data, 0.5)
    assert [tf.io.gfile.stat(name).mtime_nsec for name in files] == before
    assert data.files("train") == Prepared.load(data.folder).files("train"), "the sample is no part of all rows"


def test_trial_is_trained_on_the_sample_and_reads_no_test_split(data, tmp_path):
    write_sample(data, 1 / 3)
    options = {"inverse_regularization": 0.5}
    job = Job("lr", "logistic_regression", options, {}, NO_SEED, trial=3, rows_fraction=1 / 3)
    folder = tmp_path / "run"
    folder.mkdir()
    result = run_job(job, data.folder, "f00d", folder)
    files = sampled(data, 1 / 3).files("train")
    scores, _ = OneHotRegression.fit(SPEC, files, 300, 300, 0.5).predict(data.files("eval"))
    scores = {name: values.astype(np.float32) for name, values in scores.items()}
    assert result.metrics == {"eval": evaluate(SPEC, data.columns("eval"), scores)}
    assert result.rows == ROWS["eval"]
    assert set(result.versions) >= {"tensorflow", "lightgbm"}
    assert Result.from_json((folder / RESULT).read_text()) == result
    assert not (folder / SCORES).exists()
    with pytest.raises((OSError, ValueError)):
        run_job(Job("lr", "logistic_regression", options, {}, NO_SEED), data.folder, "f00d", folder)


@pytest.mark.parametrize(("fraction", "batch_size", "expected"), [(1.0, 512, 512), (1 / 3, 512, 171), (0.1, None, 64)])
def test_training_on_a_sample_has_smaller_batches_in_proportion(data, monkeypatch, fraction, batch_size, expected):
    class ReachedError(Exception):
        pass

    def reached(spec, transform, size):
        raise ReachedError(size)

    monkeypatch.setattr(fit, "InputPipeline", reached)
    monkeypatch.setattr(fit.tf.config.experimental, "enable_op_determinism", lambda: None)
    monkeypatch.setattr(Prepared, "transform", lambda self: None)
    write_sample(data, fraction)
    training = TrainingSettings(batch_size=batch_size)
    with pytest.raises(ReachedError, match=f"^{expected}$"), fit.train("mmoe", {}, training, sampled(data, fraction)):
        pass


def test_training_plans_its_steps(data, monkeypatch):
    """901 rows in batches of 100 are 10 steps an epoch."""

    class Model:
        @staticmethod
        def from_spec(spec, sizes, **options):
            raise KeyError(options["gamma_steps"])

    monkeypatch.setattr(fit, "model_class", lambda name: Model)
    monkeypatch.setattr(fit.tf.config.experimental, "enable_op_determinism", lambda: None)
    monkeypatch.setattr(Prepared, "transform", lambda self: None)
    monkeypatch.setattr(Prepared, "vocabulary_sizes", lambda self: {})
    training = TrainingSettings(batch_size=100, max_epochs=4)
    with pytest.raises(KeyError, match=r"^40$"), fit.train("apem", {}, training, data):
        pass
