"""Options of the ad-log simulator: invalid ones are rejected with the name of their field."""

import dataclasses

import pytest

from tfmtl.config import ConfigError, Document, FieldError, build
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.simulation.options import EffectShares, SimulatorOptions, check_options

SPEC = {
    "name": "log",
    "features": [
        {"name": "user", "kind": "categorical"},
        {"name": "age", "kind": "categorical", "required": True},
        {"name": "price", "kind": "numerical"},
        {"name": "tags", "kind": "multi_valued", "weights": "tag_weights", "max_length": 3},
    ],
    "tasks": [{"name": "click", "label": "clicked"}, {"name": "visits", "label": "visits", "kind": "count"}],
    "split": {"kind": "random", "key": ["session"]},
}
OPTIONS = {
    "rows": 10,
    "entities": {"user": {"key": "user", "count": 5}},
    "features": {
        "age": {"entity": "user", "cardinality": 3},
        "price": {"median": 5.0},
        "tags": {"cardinality": 4, "length": 2},
        "session": {"cardinality": 9},
    },
    "tasks": {"click": {"rate": 0.5}, "visits": {"rate": 2.0}},
}


def changed(path, value):
    """The options with one field set, or removed if `value` is None."""
    options = {name: dict(part) if isinstance(part, dict) else part for name, part in OPTIONS.items()}
    node = options
    for name in path[:-1]:
        node[name] = dict(node.get(name, {}))
        node = node[name]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return options


def test_accepts_options_that_fit_the_spec():
    check_options(DatasetSpec.from_dict(SPEC), build(SimulatorOptions, Document(OPTIONS)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows",), 0),
        (("seed",), -1),
        (("task_correlation",), 1.5),
        (("affinity_rank",), 0),
        (("entities", "user", "count"), 1),
        (("entities", "user", "zipf"), -1.0),
        (("entities", "context"), {"key": "user", "count": 5}),
        (("features", "age", "entity"), "nobody"),
        (("features", "age", "missing"), 1.0),
        (("features", "age", "cardinality"), 1),
        (("features", "age", "values"), ["a", "a"]),
        (("features", "age", "values"), ["a", "b"]),
        (("features", "age", "skew"), -1.0),
        (("features", "price", "median"), 0.0),
        (("features", "price", "sigma"), -1.0),
        (("features", "price", "popularity"), 1.0),
        (("features", "price", "decimals"), 7),
        (("features", "tags", "length"), 0),
        (("tasks", "click", "rate"), 0.0),
        (("tasks", "click", "strength"), -1.0),
        (("shares", "ids"), -0.1),
    ],
)
def test_rejects_fields_out_of_range(path, value):
    with pytest.raises(ConfigError, match=rf"^{'.'.join(path)}: should be .* Received: "):
        build(SimulatorOptions, Document(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("entities", "user", "key"), "price", "entities.user.key"),
        (("entities", "user", "key"), "clicked", "entities.user.key"),
        (("entities", "twin"), {"key": "user", "count": 5}, "entities"),
        (("features", "age"), None, "features.age"),
        (("features", "session"), None, "features.session"),
        (("features", "user"), {"cardinality": 3}, "features.user"),
        (("features", "tag_weights"), {"cardinality": 3}, "features.tag_weights"),
        (("features", "clicked"), {"cardinality": 3}, "features.clicked"),
        (("features", "age", "cardinality"), None, "features.age.cardinality"),
        (("features", "age", "median"), 2.0, "features.age.median"),
        (("features", "age", "length"), 2, "features.age.length"),
        (("features", "age", "missing"), 0.1, "features.age.missing"),
        (("features", "price", "median"), None, "features.price.median"),
        (("features", "price", "cardinality"), 4, "features.price.cardinality"),
        (("features", "tags", "length"), None, "features.tags.length"),
        (("features", "tags", "length"), 4, "features.tags.length"),
        (("features", "price", "length"), 2, "features.price.length"),
        (("tasks", "click"), None, "tasks.click"),
        (("tasks", "buy"), {"rate": 0.1}, "tasks.buy"),
        (("tasks", "click", "rate"), 1.0, "tasks.click.rate"),
    ],
)
def test_rejects_options_that_do_not_fit_the_spec(path, value, field):
    options = build(SimulatorOptions, Document(changed(path, value)))
    with pytest.raises(FieldError, match=rf"^{field}: should be .* Received: "):
        check_options(DatasetSpec.from_dict(SPEC), options)


def test_rejects_string_bounds_that_are_not_dates():
    spec = dataclasses.replace(DatasetSpec.from_dict(SPEC), split=TimeSplit("day", "a", "b"))
    options = build(SimulatorOptions, Document(changed(("features", "session"), None)))
    with pytest.raises(FieldError, match=r"should be a date such as 2026-11-20, or a number. Received: 'a'"):
        check_options(spec, options)


def test_rejects_shares_without_any_effect():
    with pytest.raises(FieldError, match="attributes: should be above 0, or another share above 0"):
        EffectShares(0, 0, 0, 0, 0)
