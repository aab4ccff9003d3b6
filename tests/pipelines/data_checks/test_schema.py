"""Schema of a log: what is inferred, its text, and the update of single columns; statistics against NumPy."""

import numpy as np
import pytest

from pipelines.data_checks.column_statistics import columns_of, share_error
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.schema import (
    format_schema,
    infer_schema,
    label_mean,
    parse_schema,
    schema_path,
    update_schema,
)
from tests.pipelines.data_checks.shop_statistics import SPEC, columns, statistics_of
from tfmtl.config import ConfigError

CHECKS = DataChecks()


@pytest.fixture(scope="module")
def values():
    return columns(seed=1)


@pytest.fixture(scope="module")
def statistics(values):
    return statistics_of(values)


def test_statistics_equal_numpy(values, statistics):
    found = columns_of(statistics)
    age = np.array([value is not None for value in values["age"]])
    assert found["age"].filled_share == age.mean()
    assert found["tags"].filled == sum(bool(tags) for tags in values["tags"])
    assert found["tags"].values == sum(map(len, values["tags"]))
    tokens, counts = np.unique(values["city"].astype(str), return_counts=True)
    assert found["city"].counts == dict(zip(tokens.tolist(), counts.tolist(), strict=True))
    assert found["city"].largest_share == counts.max() / counts.sum()
    assert found["clicked"].mean == pytest.approx(values["clicked"].mean())
    price = values["price"]
    outside = found["price"].share_outside(np.quantile(price, 0.25), np.quantile(price, 0.85))
    assert outside == pytest.approx(0.3, abs=0.01), "two tenths below and one above are outside as a whole"
    assert found["price"].share_outside(0, price.max()) == 0
    assert share_error(0.5, 10_000) == pytest.approx(0.005, rel=1e-3)


def test_unseen_share_is_that_of_new_rows():
    """The Good-Turing estimate is compared with the share of values of other rows that are new."""
    rng = np.random.default_rng(0)
    draws = [rng.zipf(1.8, 2000) for _ in range(40)]
    strings = [one.astype(str).astype(object) for one in draws[:5]]
    estimates = [columns_of(statistics_of({"x": one}))["x"].unseen_share for one in strings]
    new = [1 - np.isin(other, one).mean() for one in draws[:5] for other in draws[5:]]
    assert np.mean(estimates) == pytest.approx(np.mean(new), rel=0.2)


def test_inferred_bounds(values, statistics):
    features = {one.name: one for one in infer_schema(statistics, SPEC.labels, CHECKS).feature}
    clicked = values["clicked"]
    assert features["scenario"].domain == "scenario"
    assert not features["user"].HasField("domain"), "ids have no domain"
    assert features["city"].distribution_constraints.min_domain_mass == pytest.approx(0.98, abs=0.005)
    assert 0.7 < features["age"].presence.min_fraction < 0.77
    assert features["price"].float_domain.max == pytest.approx(10 * values["price"].max(), rel=0.1)
    assert features["price"].float_domain.min == pytest.approx(values["price"].min() / 10, rel=0.1)
    assert label_mean(features["clicked"]) == pytest.approx((clicked.mean(), len(clicked), clicked.std()), rel=1e-4)
    assert label_mean(features["price"]) is None


def test_text_is_read_as_written(statistics):
    schema = infer_schema(statistics, SPEC.labels, CHECKS)
    text = format_schema(schema)
    assert parse_schema(text) == schema
    assert text.startswith("# Schema of a log")


def test_an_update_replaces_the_named_columns_only(statistics):
    schema = infer_schema(statistics, SPEC.labels, CHECKS)
    schema.feature[0].presence.min_fraction = 0.123
    other = columns(seed=2)
    other["scenario"] = np.char.add("new_", other["scenario"].astype(str)).astype(object)
    other["town"] = other.pop("city")
    inferred = infer_schema(statistics_of(other), SPEC.labels, CHECKS)
    updated = update_schema(schema, inferred, {"scenario", "city", "town"})
    names = [feature.name for feature in updated.feature]
    assert names == [f.name for f in schema.feature if f.name != "city"] + ["town"]
    domains = {domain.name: list(domain.value) for domain in updated.string_domain}
    assert domains["scenario"] == ["new_banner", "new_feed", "new_search"]
    assert "city" not in domains
    assert updated.feature[0].presence.min_fraction == 0.123
    by_name = {feature.name: feature for feature in updated.feature}
    assert by_name["price"] == next(feature for feature in schema.feature if feature.name == "price")


def test_a_wrong_file_is_named(tmp_path):
    assert schema_path(tmp_path / "shop.yaml") == tmp_path / "shop.schema.pbtxt"
    with pytest.raises(ConfigError, match=r"shop.schema.pbtxt: should be a TFDV schema as text. Received: 2:"):
        parse_schema("feature {\nnam: 1}", "shop.schema.pbtxt")
    schema = parse_schema('feature { name: "click" annotation { tag: "mean high" } }')
    with pytest.raises(ConfigError, match=r"'mean X of N rows, deviation S'. Received: 'mean high'"):
        label_mean(schema.feature[0])
