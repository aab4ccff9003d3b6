"""True values of the test rows: in the order of the prepared rows, and refused if they belong to other rows."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from pipelines.prepared import ground_truth
from pipelines.prepared import row_order as order
from pipelines.prepared import write_prepared as subject
from pipelines.prepared.columns import ColumnReader
from pipelines.prepared.ground_truth import find_simulated_log, oracle_auc, write_truth
from pipelines.prepared.ground_truth import test_split_indices as indices_of_test_split
from pipelines.prepared.prepared import TRUTH, Prepared
from pipelines.settings import DataSettings
from pipelines.settings_file import load_settings
from transforms.batches.columns import raw_columns
from transforms.examples.from_columns import encode
from transforms.examples.shards import ShardWriter
from transforms.ingest.ingest_files import ingest
from transforms.ingest.split import assign
from transforms.readers.csv_reader import read_csv
from transforms.simulation.simulator import IMPRESSIONS, PROBABILITIES, simulate
from transforms.validation.validate import validate

DEMO = load_settings(pathlib.Path(__file__).parents[3] / "examples" / "demo.yaml")
ROWS = 1500


def draw(folder, seed=1):
    simulate(DEMO.spec, dataclasses.replace(DEMO.simulator, rows=ROWS, seed=seed), folder)
    return dataclasses.replace(DEMO, data=DataSettings(path=str(folder)))


def add_rejected_rows(folder):
    """Inserts lines with an invalid label into the log, and a line for each of them into the true values."""
    for name in (IMPRESSIONS, PROBABILITIES):
        lines = (folder / name).read_text().splitlines()
        columns = [column.strip('"') for column in lines[0].split(",")]
        for line in (900, 400, 1):
            cells = lines[line].split(",")
            if name == IMPRESSIONS:
                cells[columns.index("click")] = "7"
            lines.insert(line, ",".join(cells))
        (folder / name).write_text("\n".join(lines) + "\n")


def examples_of_test_split(settings):
    """Examples of the log's test rows in their order, and the indices of the rows."""
    log = str(pathlib.Path(settings.data.path) / IMPRESSIONS)
    examples, indices = [], []
    for batch in read_csv(log, raw_columns(settings.spec)):
        checked = validate(batch, settings.spec)
        in_test = np.flatnonzero(assign(settings.spec, checked) == 2)
        encoded = encode(checked.typed).to_pylist()
        examples += [encoded[row] for row in in_test]
        indices += [int(checked.raw.lines[row]) - 2 for row in in_test]
    return examples, np.array(indices)


@pytest.fixture
def log(tmp_path):
    settings = draw(tmp_path / "log")
    (tmp_path / "prepared").mkdir()
    return settings, tmp_path / "log", tmp_path / "prepared"


def ingested_labels(settings):
    reader = ColumnReader(settings.spec)
    reader.add(examples_of_test_split(settings)[0])
    return reader.columns().labels


@pytest.mark.long
@pytest.mark.parametrize("rejects", [False, True])
def test_truth_of_ingested_rows_equals_the_join_by_fingerprint(log, monkeypatch, tmp_path, rejects):
    settings, folder, prepared = log
    if rejects:
        add_rejected_rows(folder)
    writer = ShardWriter(str(tmp_path / "examples"), "00000", shard_bytes=1500)
    for batch in ingest([str(folder / IMPRESSIONS)], settings.spec):
        assert len(batch.rejects) == (3 if rejects else 0)
        writer.write(batch.examples)
    writer.finish()
    assert len(list((tmp_path / "examples" / "Split-test").iterdir())) > 10
    (tmp_path / "graph").mkdir()
    monkeypatch.setattr(subject, "_vocabulary_bytes", lambda prepared: [])
    monkeypatch.setattr(subject, "_PART_BYTES", 4000)
    monkeypatch.setattr(ground_truth, "_BLOCK_ROWS", 401)
    subject.write_prepared(settings, str(tmp_path / "examples"), str(tmp_path / "graph"), {}, prepared)

    examples, indices = examples_of_test_split(settings)
    blocks = order.fingerprints(settings.spec, tf.data.Dataset.from_tensor_slices(examples))
    places = np.argsort(np.concatenate([keys for _, keys in blocks]), kind="stable")
    expected = pd.read_csv(folder / PROBABILITIES).iloc[indices[places]]
    data = Prepared.load(prepared)
    truth = data.truth()
    assert set(truth) == {output.name for output in settings.spec.outputs}
    for name, values in truth.items():
        np.testing.assert_array_equal(values, expected[name].to_numpy())
    written = list(tf.data.TFRecordDataset(data.files("test"), "GZIP").as_numpy_iterator())
    assert written == [examples[place] for place in places]


def test_indices_of_the_test_split_count_rejected_rows(log):
    settings, folder, _ = log
    before = indices_of_test_split(settings.spec, folder)
    np.testing.assert_array_equal(before, examples_of_test_split(settings)[1])
    assert 0.05 < len(before) / ROWS < 0.15
    add_rejected_rows(folder)
    after = indices_of_test_split(settings.spec, folder)
    shift = 1 + (before >= 399).astype(int) + (before >= 899)
    np.testing.assert_array_equal(after, before + shift)


def test_oracle_auc_equals_scikit_learns_on_each_space(log):
    settings, folder, _ = log
    rows = np.arange(0, ROWS, 2)
    aucs = oracle_auc(settings.spec, folder, rows)
    labels, truth = (pd.read_csv(folder / name).iloc[rows] for name in (IMPRESSIONS, PROBABILITIES))
    clicked = labels["click"] == 1
    assert aucs == {
        "ctr": pytest.approx(roc_auc_score(labels["click"], truth["ctr"])),
        "cvr": pytest.approx(roc_auc_score(labels["conversion"][clicked], truth["cvr"][clicked])),
        "ctcvr": pytest.approx(roc_auc_score(labels["conversion"], truth["ctcvr"])),
    }


def test_folder_without_true_values_is_no_simulated_log(log):
    settings, folder, prepared = log
    (folder / PROBABILITIES).unlink()
    assert find_simulated_log(folder) is None
    write_truth(settings, prepared, np.array([0]), {})
    assert not (prepared / TRUTH).exists()
    with pytest.raises(FileNotFoundError, match=r"should hold a simulated log and its true values, impressions\.csv"):
        indices_of_test_split(settings.spec, folder)


def test_refuses_true_values_of_another_length(log):
    """A killed simulator leaves a new log with the true values of the previous log."""
    settings, folder, prepared = log
    labels = ingested_labels(settings)
    rows = np.arange(len(labels["click"]))
    lines = (folder / PROBABILITIES).read_text().splitlines(keepends=True)
    for other in (lines[:-1], [*lines, lines[-1]]):
        (folder / PROBABILITIES).write_text("".join(other))
        with pytest.raises(ValueError, match=rf"should have the 1,501 lines of .*Received: {len(other):,}"):
            write_truth(settings, prepared, rows, labels)
    assert not (prepared / TRUTH).exists()


def test_refuses_a_log_whose_rows_were_not_prepared(log):
    settings, folder, prepared = log
    labels = ingested_labels(settings)
    rows = np.arange(len(labels["click"]))
    draw(folder, seed=2)
    message = rf"impressions.csv should hold the {len(rows)} test rows that were prepared, and no others"
    with pytest.raises(ValueError, match=message):
        write_truth(settings, prepared, rows, labels)
    assert not (prepared / TRUTH).exists()


def test_refuses_test_rows_with_other_labels(log):
    settings, _, prepared = log
    labels = ingested_labels(settings)
    rows = np.arange(len(labels["click"]))
    with pytest.raises(ValueError, match=rf"Received: {len(rows)} test rows with other labels of click"):
        write_truth(settings, prepared, rows[::-1], labels)
    assert not (prepared / TRUTH).exists()
    write_truth(settings, prepared, rows[::-1], {task: values[::-1] for task, values in labels.items()})
    assert (prepared / TRUTH).exists()
