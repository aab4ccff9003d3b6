"""Synthetic batches: sizes of the fields, frequencies of the ids, and labels."""

import numpy as np
import pytest

from benchmarks.batches import field_sizes, log_batches, zipf_ids
from benchmarks.measure import make_batches, make_spec, vocabulary_sizes
from tfmtl.model_inputs import embedding_rows


@pytest.mark.parametrize("ids", [2_000, 50_000, 5_000_000])
def test_fields_of_decreasing_size_have_all_ids(ids):
    sizes = list(field_sizes(ids).values())
    assert len(sizes) == 23
    assert sum(sizes) == ids
    assert sizes == sorted(sizes, reverse=True)
    assert 0.6 < sum(sizes[:2]) / ids < 0.7


def test_rejects_too_few_ids():
    with pytest.raises(ValueError, match=r"should be enough for 23 fields\. Received: 50"):
        field_sizes(50)


def test_frequency_is_inverse_to_the_rank():
    drawn = np.bincount(zipf_ids(np.random.default_rng(0), 4, (100_000,)), minlength=4) / 100_000
    expected = np.array([1, 1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(drawn, expected / expected.sum(), atol=0.01)


def test_purchases_follow_clicks():
    batches = log_batches(2_000, 500, 4, seed=0)
    assert len(batches) == 4
    clicks, purchases = (np.concatenate([labels[task] for _, labels in batches]) for task in ("click", "purchase"))
    assert 0 < purchases.sum() < clicks.sum() < 500
    assert np.all(purchases <= clicks)
    assert all(inputs["field_00"].shape == (500,) for inputs, _ in batches)


@pytest.mark.parametrize("spec", ["log", "panels"])
def test_table_has_the_number_of_ids_and_batches_are_inside(spec):
    rows = embedding_rows(make_spec(spec), vocabulary_sizes(make_spec(spec), 3_000))
    assert sum(rows.values()) == 3_000
    for inputs, labels in make_batches({"spec": spec, "ids": 3_000, "batch": 5, "pool": 2, "seed": 0}):
        assert all(inputs[name].max() < rows[name] for name in rows)
        assert set(labels) == {task.name for task in make_spec(spec).tasks}
