"""Estimated numbers of different tokens, and the collisions of a hash that follow from them."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tfmtl.features import CategoricalFeature, Hashing, MultiValuedFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.batches.distinct_tokens import DistinctTokens
from transforms.batches.report import IngestReport
from transforms.ingest.hash_collisions import collisions, describe_hashes, distinct_tokens


def tokens(count, prefix="u"):
    return pa.array([f"{prefix}{i}".encode() for i in range(count)], pa.binary())


@pytest.mark.parametrize("count", [0, 1, 10, 500, 3000, 20_000, 200_000])
def test_estimates_are_within_four_standard_errors(count):
    assert DistinctTokens.of(tokens(count)).estimate() == pytest.approx(count, rel=4 * 1.04 / 32, abs=0.5)


def test_parts_merge_to_the_whole_and_repeated_tokens_count_once():
    whole = DistinctTokens.of(tokens(5000))
    parts = [DistinctTokens.of(tokens(5000).slice(start, 2000)) for start in (0, 1500, 3000)]
    merged = parts[2].merge(parts[0]).merge(parts[1])
    assert merged == whole
    assert DistinctTokens.of(pa.concat_arrays([tokens(5000), tokens(5000), pa.array([b""])])) == whole
    assert DistinctTokens.from_text(whole.to_text()) == whole


def test_a_report_keeps_the_sketches():
    report = IngestReport({}, {"user": DistinctTokens.of(tokens(100))})
    other = IngestReport({}, {"user": DistinctTokens.of(tokens(100, "v")), "item": DistinctTokens.of(tokens(3))})
    merged = IngestReport.from_dict(report.merge(other).to_dict())
    assert merged.distinct["user"].estimate() == pytest.approx(200, rel=0.1)
    assert merged.distinct["item"].estimate() == pytest.approx(3, abs=0.1)
    assert "distinct" not in IngestReport().to_dict()


@pytest.mark.parametrize(("count", "buckets"), [(300, 1000), (3000, 1000), (100, 100_000)])
def test_expected_collisions_are_those_of_the_hash(count, buckets):
    ids = tf.strings.to_hash_bucket_fast([f"0:token {i}" for i in range(count)], 1 << 62).numpy() % buckets
    shared = np.mean(np.bincount(ids, minlength=buckets)[ids] > 1)
    assert collisions(count, buckets) == pytest.approx(shared, abs=0.05)


def test_features_that_share_a_hash_are_one_line():
    features = (
        CategoricalFeature("device", hashed=Hashing(1000)),
        MultiValuedFeature("devices", vocabulary="device"),
        CategoricalFeature("user"),
    )
    spec = DatasetSpec("shop", features, (Task("click", "clicked"),))
    lists = {name: pa.array([[b"a"], [b"b", b"c"]], pa.list_(pa.binary())) for name in ("device", "devices", "user")}
    found = distinct_tokens(spec, pa.RecordBatch.from_pydict(lists | {"device": pa.array([[b"a"], [b"d"]])}))
    (line,) = describe_hashes(spec, IngestReport({}, found))
    assert line == "hashed device: about 4 tokens in 1,000 buckets; 0.3% of them share a bucket"
