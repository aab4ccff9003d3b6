"""The sample: every so many rows, across batches, and a row of each column that has one."""

import pyarrow as pa
import pytest

from transforms.sample import Sampler, sampling_step


def batch(**columns):
    return pa.RecordBatch.from_pydict(
        {name: pa.array(values, pa.list_(pa.int64())) for name, values in columns.items()}
    )


@pytest.mark.parametrize(("size", "step"), [(0, 1), (10, 1), (11, 2), (100, 10), (101, 11)])
def test_the_step_is_of_the_logs_size(size, step):
    assert sampling_step(size, 10) == step


def test_every_step_counts_across_batches():
    sampler = Sampler(4)
    sizes = [3, 1, 6, 0, 5, 1]
    taken, start = [], 0
    for size in sizes:
        taken += (sampler.choose(batch(a=[[1]] * size)) + start).tolist()
        start += size
    assert taken == list(range(0, sum(sizes), 4))


def test_the_first_row_of_a_seldom_column_is_taken():
    sampler = Sampler(100)
    assert sampler.choose(batch(a=[[1]] * 9, b=[None] * 5 + [[7]] * 4, c=[None] * 9)).tolist() == [0, 5]
    assert sampler.choose(batch(a=[[1]] * 4, b=[[1]] * 4, c=[None, None, [2], [3]])).tolist() == [2]
    assert sampler.choose(batch(a=[[1]] * 4, b=[[1]] * 4, c=[[1]] * 4)).tolist() == []
