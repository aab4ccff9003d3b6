"""Statistics of the sample: those of TFDV's Beam job, and counts of the rows."""

import collections

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tfx.types import standard_artifacts
from tfx_bsl.public.tfxio import TFExampleRecord

from pipelines.components.statistics_gen import SampleStatisticsExecutor, sample_statistics
from transforms.examples.from_columns import encode
from transforms.examples.shards import ShardWriter
from transforms.ingest.sampling import SAMPLE

ROWS = 3_000
CITIES = [f"city{i}" for i in range(2_500)]
"""More than the 1,000 whose counts are kept."""


def example(draw):
    """A row with a number that may be missing, a token, a list and a label."""
    features = {
        "click": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(draw.random() < 0.2)])),
        "city": tf.train.Feature(bytes_list=tf.train.BytesList(value=[draw.choice(CITIES).encode()])),
        "tags": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"t%d" % t for t in range(draw.integers(4))])),
    }
    if draw.random() < 0.7:
        features["price"] = tf.train.Feature(float_list=tf.train.FloatList(value=[draw.lognormal()]))
    return tf.train.Example(features=tf.train.Features(feature=features))


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """Rows, the statistics of the component, and those of TFDV's Beam job."""
    folder = tmp_path_factory.mktemp("statistics")
    draw = np.random.default_rng(5)
    rows = [example(draw) for _ in range(ROWS)]
    for name, part in (("00000", rows[:1000]), ("00001", rows[1000:])):
        writer = ShardWriter(str(folder / "examples"), name)
        writer.write({SAMPLE: [row.SerializeToString() for row in part], "train": [b""]})
        writer.finish()
    examples, statistics = standard_artifacts.Examples(), standard_artifacts.ExampleStatistics()
    examples.uri, statistics.uri = str(folder / "examples"), str(folder / "statistics")
    examples.split_names = '["train", "eval", "test", "sample"]'
    examples.set_int_custom_property("span", 7)
    SampleStatisticsExecutor().Do({"examples": [examples]}, {"statistics": [statistics]}, {})
    found = tfdv.load_stats_binary(f"{statistics.uri}/Split-sample/FeatureStats.pb")
    source = TFExampleRecord(f"{examples.uri}/Split-sample/*")
    with beam.Pipeline() as pipeline:
        every = pipeline | source.BeamSource() | tfdv.GenerateStatistics(tfdv.StatsOptions())
        _ = every | tfdv.WriteStatisticsToBinaryFile(str(folder / "beam.pb"))
    return rows, statistics, found, tfdv.load_stats_binary(str(folder / "beam.pb"))


def by_name(statistics):
    (dataset,) = statistics.datasets
    return {feature.path.step[0] if feature.path.step else feature.name: feature for feature in dataset.features}


def test_counts_are_those_of_the_rows(computed):
    rows, statistics, found, _ = computed
    assert statistics.split_names == '["sample"]'
    assert found.datasets[0].num_examples == ROWS
    features = by_name(found)
    prices = [row.features.feature["price"].float_list.value for row in rows if "price" in row.features.feature]
    price = features["price"].num_stats
    assert price.common_stats.num_non_missing == len(prices) < ROWS
    assert price.mean == pytest.approx(np.mean(prices))
    assert price.median == pytest.approx(np.median(prices), rel=0.02)
    cities = collections.Counter(row.features.feature["city"].bytes_list.value[0].decode() for row in rows)
    city = features["city"].string_stats
    assert city.unique == len(cities) > 1_500
    assert len(city.top_values) > 10
    assert all(one.frequency == cities[one.value] for one in city.top_values)
    assert [one.frequency for one in city.top_values] == sorted(cities.values(), reverse=True)[: len(city.top_values)]


def test_equals_tfdv_on_beam(computed):
    _, _, found, expected = computed
    ours, theirs = by_name(found), by_name(expected)
    assert sorted(ours) == sorted(theirs) == ["city", "click", "price", "tags"]
    for name, feature in ours.items():
        other = theirs[name]
        assert feature.type == other.type
        kind = feature.WhichOneof("stats")
        one, two = getattr(feature, kind), getattr(other, kind)
        assert one.common_stats == two.common_stats
        if kind == "string_stats":
            assert (one.unique, one.avg_length) == (two.unique, pytest.approx(two.avg_length))
            assert list(one.top_values) == list(two.top_values)
            assert one.rank_histogram == two.rank_histogram
        else:
            assert (one.mean, one.std_dev) == (pytest.approx(two.mean), pytest.approx(two.std_dev))
            assert (one.min, one.max, one.num_zeros) == (two.min, two.max, two.num_zeros)


def test_the_number_of_different_tokens_is_not_an_estimate(tmp_path):
    """TFDV's sketch estimates it from 16,384 tokens on."""
    tokens = 20_000
    rows = pa.record_batch([pa.array([[b"%d" % i] for i in range(tokens)], pa.list_(pa.binary()))], ["user"])
    writer = ShardWriter(str(tmp_path), "0")
    writer.write({SAMPLE: encode(rows)})
    writer.finish()
    user = by_name(sample_statistics([str(path) for path in tmp_path.glob("Split-sample/*")]))["user"].string_stats
    assert user.unique == tokens
    assert [value.frequency for value in user.top_values] == [1] * len(user.top_values)
