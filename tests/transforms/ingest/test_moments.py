"""Means and deviations of vectors from the sums of their parts, against NumPy."""

import numpy as np
import pyarrow as pa
import pytest

from tfmtl.features import DenseFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.ingest.token_counts import TokenCounter, lines_of, merge

TITLE = DenseFeature("title", length=3)
SPEC = DatasetSpec("shop", (TITLE, NumericalFeature("price")), (Task("click", "clicked"),))


def counted(parts):
    counter = TokenCounter(SPEC)
    for vectors in parts:
        lists = pa.array([None if row is None else np.float32(row) for row in vectors], pa.list_(pa.float32()))
        counter.add(pa.RecordBatch.from_pydict({"title": lists}))
    return counter.counts()["title"]


def moments_of(counts):
    return np.array([line.split() for line in lines_of(counts, TITLE)], np.float64)


@pytest.mark.parametrize("offset", [0.0, 5.0, -1000.0, 1e4])
def test_moments_are_those_of_numpy_whatever_the_mean_is(offset):
    rng = np.random.default_rng(0)
    vectors = np.float32(rng.normal([offset, 1.0, -3.0], [1.0, 1e-3, 100.0], (2000, 3)))
    found = moments_of(counted([vectors[:700].tolist(), [None], vectors[700:].tolist()]))
    wide = vectors.astype(np.float64)
    np.testing.assert_allclose(found[:, 0], wide.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], wide.std(axis=0), rtol=1e-4)


def test_parts_add_to_the_whole_in_any_order():
    rng = np.random.default_rng(1)
    vectors = rng.normal(2, 3, (900, 3)).tolist()
    whole = lines_of(counted([vectors]), TITLE)
    parts = [counted([part]) for part in (vectors[600:], vectors[:100], vectors[100:600])]
    assert lines_of(merge(parts), TITLE) == whole
    twice = lines_of(merge([parts[0], parts[0]]), TITLE)
    assert twice == lines_of(counted([vectors[600:]]), TITLE)


def test_missing_and_constant_numbers():
    found = moments_of(counted([[[1.0, np.nan, 0.1], None, [3.0, np.nan, 0.1]]]))
    np.testing.assert_allclose(found, [[2, 1], [0, 1], [np.float32(0.1), 1]])
    np.testing.assert_array_equal(moments_of(counted([])), [[0, 1]] * 3)
