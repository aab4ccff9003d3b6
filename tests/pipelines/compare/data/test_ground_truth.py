"""The truth of the test rows: in their order, and refused where it is not theirs."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest

from pipelines.compare.data import row_order as order
from pipelines.compare.data.ground_truth import write_truth
from pipelines.compare.data.prepared import TRUTH
from pipelines.evaluation.oracle import test_split_indices as rows_of_test_split
from pipelines.settings import DataSettings, load_settings
from transforms.examples.from_columns import encode
from transforms.ingest.split import assign
from transforms.readers.csv_reader import read_csv
from transforms.simulation.simulator import IMPRESSIONS, PROBABILITIES, simulate
from transforms.validation.validate import check, raw_columns

DEMO = load_settings(pathlib.Path(__file__).parents[4] / "examples" / "demo.yaml")
ROWS = 1500


def draw(folder, seed=1):
    simulate(DEMO.spec, dataclasses.replace(DEMO.simulator, rows=ROWS, seed=seed), folder)
    return dataclasses.replace(DEMO, data=DataSettings(str(folder)))


def prints_of_test_split(settings):
    """The fingerprints of the log's test rows, in the order of the log."""
    (batch,) = read_csv(str(pathlib.Path(settings.data.path) / IMPRESSIONS), raw_columns(settings.spec))
    checked = check(batch, settings.spec)
    examples = np.asarray(encode(checked.typed), dtype=object)[assign(settings.spec, checked) == 2]
    return order.fingerprints(settings.spec, examples)


@pytest.fixture
def log(tmp_path):
    settings = draw(tmp_path / "log")
    (tmp_path / "prepared").mkdir()
    return settings, tmp_path / "log", tmp_path / "prepared"


def test_the_truth_is_in_the_order_of_the_prepared_rows(log):
    settings, folder, prepared = log
    prints = prints_of_test_split(settings)
    write_truth(settings, prepared, np.sort(prints))
    of_log = pd.read_csv(folder / PROBABILITIES).iloc[rows_of_test_split(settings.spec, folder)]
    with np.load(prepared / TRUTH) as truth:
        for output in settings.spec.outputs:
            expected = of_log[output.name].to_numpy()[np.argsort(prints, kind="stable")]
            np.testing.assert_array_equal(truth[output.name], expected)


def test_a_truth_of_another_length_is_refused(log):
    """What is left where the simulator of another log was killed: that log, and the truth of the one before."""
    settings, folder, prepared = log
    prints = np.sort(prints_of_test_split(settings))
    lines = (folder / PROBABILITIES).read_text().splitlines(keepends=True)
    for other in (lines[:-1], [*lines, lines[-1]]):
        (folder / PROBABILITIES).write_text("".join(other))
        with pytest.raises(ValueError, match=rf"should have the 1,501 lines of .*Received: {len(other):,}"):
            write_truth(settings, prepared, prints)
    assert not (prepared / TRUTH).exists()


def test_a_log_whose_rows_were_not_prepared_is_refused(log):
    settings, folder, prepared = log
    prints = np.sort(prints_of_test_split(settings))
    draw(folder, seed=2)
    with pytest.raises(
        ValueError, match=rf"impressions.csv should hold the {len(prints)} test rows that were prepared"
    ):
        write_truth(settings, prepared, prints)
    assert not (prepared / TRUTH).exists()
