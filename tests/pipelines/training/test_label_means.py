"""Mean labels of counts and values in the training rows: their measurement, and those of a warm start's model."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.training.label_means import label_means, with_label_means
from pipelines.training.warm_start import with_saved_label_means
from tests.tfmtl import cases
from tests.tfmtl.tiny_models import tiny
from tfmtl.spec import DatasetSpec, Offset

CHAIN = cases.chain()
VIEWS = np.float32([3, 0, 5, 0, 4])
EXPOSURES = np.float32([2.0, np.nan, 0.1, -1.0, 1.5])


@dataclasses.dataclass
class Inputs:
    """Stands for the input pipeline: two blocks of rows."""

    spec: DatasetSpec
    views: np.ndarray = dataclasses.field(default_factory=lambda: VIEWS)

    def blocks(self, files, open_files):
        for rows in (slice(0, 2), slice(2, 5)):
            features = {"views__exposure": tf.constant(EXPOSURES[rows])}
            yield features, {name: tf.constant(self.views[rows]) for name in ("click", "buy", "back", "views")}


@dataclasses.dataclass
class ValueInputs:
    """Stands for the input pipeline of values: two blocks of rows."""

    spec: DatasetSpec
    labels: dict
    weights: np.ndarray | None = None

    def blocks(self, files, open_files):
        for rows in (slice(0, 2), slice(2, 5)):
            weights = [] if self.weights is None else [tf.constant(self.weights[rows])]
            yield {}, {name: tf.constant(values[rows]) for name, values in self.labels.items()}, *weights


def with_offset():
    tasks = [
        dataclasses.replace(t, offset=Offset("price", floor=0.5) if t.name == "views" else None) for t in CHAIN.tasks
    ]
    return dataclasses.replace(CHAIN, tasks=tuple(tasks))


def test_means_are_those_of_counts_alone():
    assert label_means(Inputs(CHAIN), []) == {"views": pytest.approx(12 / 5)}
    assert with_label_means({"wide": True}, Inputs(CHAIN), [])["label_means"] == {"views": pytest.approx(12 / 5)}


def test_mean_of_a_count_with_an_offset_is_per_unit_of_exposure():
    exposure = 2.0 + 0.5 + 0.5 + 0.5 + 1.5
    assert label_means(Inputs(with_offset()), []) == {"views": pytest.approx(12 / exposure)}


def test_mean_of_a_value_is_that_of_the_known_rows_with_its_event():
    labels = {
        "buy": np.float32([1, 1, 0, 1, np.nan]),
        "revenue": np.float32([10, np.nan, 0, 4, np.nan]),
        "dwell": np.float32([1, 2, 3, np.nan, 6]),
    }
    inputs = ValueInputs(cases.values(), labels)
    assert label_means(inputs, []) == {"revenue": pytest.approx(7), "dwell": pytest.approx(3)}
    weighted = dataclasses.replace(inputs, weights=np.float32([3, 1, 1, 1, 0]))
    assert label_means(weighted, []) == {"revenue": pytest.approx(34 / 4), "dwell": pytest.approx(8 / 5)}
    assert set(with_label_means({}, inputs, [])["label_means"]) == {"revenue", "dwell"}


def test_a_count_without_events_has_no_mean():
    assert label_means(Inputs(CHAIN, np.zeros(5, np.float32)), []) == {}


def test_means_of_the_settings_and_specs_without_counts_remain():
    given = {"label_means": {"views": 7.0}}
    assert with_label_means(given, Inputs(CHAIN), []) == given
    assert with_label_means({}, Inputs(cases.pair()), []) == {}


def test_a_warm_start_has_the_means_of_its_model(tmp_path):
    folder, options = str(tmp_path), {"wide": True, "label_means": {"views": 3.0}}
    assert with_saved_label_means(options, None) == options
    assert with_saved_label_means(options, folder) == options
    tiny("mmoe", CHAIN, label_means={"views": 7.5}).save(tmp_path / "model.keras")
    assert with_saved_label_means(options, folder) == {"wide": True, "label_means": {"views": 7.5}}
    assert with_saved_label_means({}, folder) == {"label_means": {"views": 7.5}}
    tiny("mmoe", CHAIN).save(tmp_path / "model.keras")
    assert with_saved_label_means(options, folder) == options
    (tmp_path / "model.keras").write_bytes(b"no archive")
    assert with_saved_label_means(options, folder) == options
