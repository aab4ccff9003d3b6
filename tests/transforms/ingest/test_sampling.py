"""Sampling: one in n rows across batches, and at least one row of each feature that has a value."""

import pyarrow as pa
import pytest
import tensorflow as tf

from transforms.examples.from_columns import encode, encode_empty_features
from transforms.ingest.sampling import Sampler, format_steps, sampling_step, thin


def batch(**columns):
    return pa.RecordBatch.from_pydict(
        {name: pa.array(values, pa.list_(pa.int64())) for name, values in columns.items()}
    )


@pytest.mark.parametrize(("size", "step"), [(0, 1), (10, 1), (11, 2), (100, 10), (101, 11)])
def test_step_follows_from_the_size_of_the_log(size, step):
    assert sampling_step(size, 10) == step


@pytest.mark.parametrize(("steps", "text"), [([3], "3"), ([3, 3], "3"), ([12, 2, 1000], "2 to 1,000")])
def test_steps_are_formatted_as_a_number_or_a_range(steps, text):
    assert format_steps(steps) == text


def test_steps_continue_across_batches():
    sampler = Sampler(4)
    sizes = [3, 1, 6, 0, 5, 1]
    chosen, start = [], 0
    for size in sizes:
        chosen += (sampler.choose(batch(a=[[1]] * size)) + start).tolist()
        start += size
    assert chosen == list(range(0, sum(sizes), 4))


def test_the_first_row_of_a_rare_column_is_sampled():
    sampler = Sampler(100)
    assert sampler.choose(batch(a=[[1]] * 9, b=[None] * 5 + [[7]] * 4, c=[None] * 9)).tolist() == [0, 5]
    assert sampler.choose(batch(a=[[1]] * 4, b=[[1]] * 4, c=[None, None, [2], [3]])).tolist() == [2]
    assert sampler.choose(batch(a=[[1]] * 4, b=[[1]] * 4, c=[[1]] * 4)).tolist() == []


def test_the_first_row_has_empty_lists_of_the_features_it_lacks():
    """The first row of the first batch that is not empty; its own values and the other rows are unchanged."""
    sampler = Sampler(2)
    batches = [batch(a=[], b=[]), batch(a=[[7], [8], [9]], b=[None, None, None]), batch(a=[None], b=[None])]
    examples = [encode(columns).to_pylist() for columns in batches]
    samples = [sampler.sample(*pair) for pair in zip(batches, examples, strict=True)]
    assert samples[0] == samples[2] == []
    assert samples[1][1:] == [examples[1][2]]
    first = tf.train.Example.FromString(samples[1][0]).features.feature
    assert {name: list(feature.int64_list.value) for name, feature in first.items()} == {"a": [7], "b": []}
    assert first["b"].WhichOneof("kind") == "int64_list"
    assert sampler.sample(batches[2], examples[2]) == [examples[2][0]]


def test_thinning_keeps_a_row_with_a_value_of_each_feature():
    """An empty list, which the first row has of each feature it lacks, is not a value."""
    columns = batch(a=[[1]] * 10, b=[None] * 5 + [[7]] * 5, c=[[]] + [None] * 6 + [[1], [2], [3]])
    examples = encode(columns).to_pylist()
    examples[0] += encode_empty_features({"b": columns.schema.field("b").type})
    assert list(thin(examples, 4)) == [examples[row] for row in (0, 4, 5, 7, 8)]
    assert list(thin(examples, 1)) == examples
