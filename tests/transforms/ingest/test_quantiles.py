"""Quantiles of rounded numbers against NumPy: values, ties, bounds, and counts that are added in any order."""

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from tfmtl.features import DenseFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.ingest.beam_vocabularies import WriteVocabularies, pack
from transforms.ingest.moments import sums_token
from transforms.ingest.quantiles import bounds, rounded_tokens
from transforms.ingest.token_counts import SCHEMA, TokenCounter, lines_of, merge

SPEC = DatasetSpec("shop", (NumericalFeature("price", quantiles=8),), (Task("click", "clicked"),))
EXTREMES = [0.0, -0.0, 1e-45, -1e-45, 1e-38, 3.4028234e38, -3.4028234e38, 1.5, -1.5, 4095.0, 4096.0, 4097.0]


def rounded(values):
    return np.array(rounded_tokens(pa.array(values, pa.float32())).to_pylist(), "S").astype(np.float32)


def counted(parts):
    counter = TokenCounter(SPEC)
    for values in parts:
        lists = pa.array([[] if np.isnan(value) else [value] for value in values], pa.list_(pa.float32()))
        counter.add(pa.RecordBatch.from_pydict({"price": lists}))
    return counter.counts()["price"]


def test_rounding_keeps_twelve_significant_bits():
    rng = np.random.default_rng(0)
    values = np.float32(rng.normal(0, 1, 10_000) * 10.0 ** rng.integers(-30, 30, 10_000))
    np.testing.assert_allclose(rounded(values), values, rtol=2**-12)
    assert len(np.unique(np.float32(1) + rng.random(100_000, np.float32))) > 50_000
    assert len(np.unique(rounded(np.float32(1) + rng.random(100_000, np.float32)))) <= 2**11 + 1
    np.testing.assert_array_equal(rounded(np.arange(-4096, 4097)), np.arange(-4096, 4097))


def test_extremes_stay_finite_and_zeros_have_one_text():
    found = rounded(EXTREMES)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[3:9], np.float32(EXTREMES)[3:9], rtol=2**-12, atol=1e-40)
    assert {bytes(text) for text in rounded_tokens(pa.array([0.0, -0.0], pa.float32())).to_pylist()} == {b"0.0"}
    assert len(rounded_tokens(pa.array([None, float("nan")], pa.float32()))) == 0


@pytest.mark.parametrize("draw", ["lognormal", "normal", "integers", "constant"])
def test_bounds_are_quantiles_of_the_numbers(draw):
    rng = np.random.default_rng(1)
    values = {
        "lognormal": rng.lognormal(3, 2, 5000),
        "normal": rng.normal(0, 5, 5000),
        "integers": rng.poisson(2, 5000),
        "constant": np.full(5000, 7.0),
    }[draw]
    lines = lines_of(counted(np.array_split(values, 3)), SPEC.features[0])
    ordered = np.sort(values)
    expected = [ordered[int(np.ceil(k * 5000 / 8))] for k in range(1, 8)]
    np.testing.assert_allclose(np.array(lines, "S").astype(np.float32), expected, rtol=2**-11)


def test_bounds_do_not_depend_on_how_the_rows_are_divided():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 5, 3000)
    whole = lines_of(counted([values]), SPEC.features[0])
    parts = [counted([part]) for part in np.array_split(rng.permutation(values), 7)]
    assert lines_of(merge(parts[::-1]), SPEC.features[0]) == whole


def test_a_feature_without_numbers_has_bounds():
    assert lines_of(counted([[float("nan")]]), SPEC.features[0]) == [b"0.0"] * 7
    assert bounds(np.array([]), np.array([]), 3).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", [NumericalFeature, NumberSequenceFeature])
def test_options_of_logarithmic_buckets_do_not_fit_quantiles(kind):
    assert kind("price", quantiles=5).buckets == 5
    assert kind("price", min_bucket=-2, max_bucket=7).buckets == 10
    for option in ({"scale": 2.0}, {"min_bucket": -1}, {"max_bucket": 9}):
        with pytest.raises(ValueError, match="omitted beside `quantiles`"):
            kind("price", quantiles=5, **option)
    with pytest.raises(ValueError, match=r"quantiles.*at least 2"):
        kind("price", quantiles=1)


def test_counts_of_an_earlier_kind_are_left_out():
    vectors = sums_token(pa.array([1.0, -2.0, 3.0, -2.0], pa.float32()), 2).to_pylist()
    tokens = pa.array([b"ann", b"5.0", b"7", b"1e-05", b"", b"1:2", *vectors], pa.binary())
    counts = pa.table([tokens, pa.array([9, 1, 1, 1, 1, 1, 1])], schema=SCHEMA)
    assert lines_of(counts, NumericalFeature("price", quantiles=3)) == [b"5.0", b"7.0"]
    assert lines_of(counts, DenseFeature("price", length=2)) == [b"2.0 1.0", b"-2.0 1.0"]
    assert lines_of(counts, DenseFeature("price", length=3)) == [b"0.0 1.0"] * 3


def test_features_that_the_spec_does_not_count_get_no_file(tmp_path):
    kept = [("price", pack(counted([[1.0, 2.0]]))), ("user", pack(SCHEMA.empty_table()))]
    with beam.Pipeline() as pipeline:
        _ = pipeline | beam.Create(kept) | WriteVocabularies(SPEC, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["price"]
