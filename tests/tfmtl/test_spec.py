"""Reading and writing of a DatasetSpec, its defaults and its hash."""

import dataclasses
import hashlib
import json

import pytest
import yaml

from tfmtl import DatasetSpec
from tfmtl.config import ConfigError
from tfmtl.features import (
    CategoricalFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import GivenSplit, RandomSplit, Task, TimeSplit

FULL = """
name: shop
features:
  - {name: user, kind: categorical, min_frequency: 2, max_tokens: 100, num_oov: 3, default: nobody, required: true}
  - {name: price, kind: numerical, scale: 2, min_bucket: -4, max_bucket: 32, default: 0.5, required: true}
  - {name: tags, kind: multi_valued, weights: tag_weights, max_length: 3, separator: ",", min_frequency: 4,
     max_tokens: 9, num_oov: 2}
  - {name: history, kind: sequence, max_length: 5, separator: ";", min_frequency: 3, max_tokens: 7, num_oov: 4}
  - {name: daily, kind: number_sequence, max_length: 6, separator: ",", scale: 3, min_bucket: -2, max_bucket: 16}
  - {name: place, kind: categorical, default: null}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
  - {name: views, label: view_count, kind: count}
scenario: place
group_key: user
groups: {who: [user, place], what: [daily, history]}
split: {kind: time, column: day, eval_from: "2026-11-19", test_from: "2026-11-20"}
"""
SMALL = "{name: s, features: [{name: u, kind: categorical}], tasks: [{name: t, label: y}]}"


def test_reads_every_field():
    assert DatasetSpec.from_yaml(FULL) == DatasetSpec(
        name="shop",
        features=(
            CategoricalFeature("user", min_frequency=2, max_tokens=100, num_oov=3, default="nobody", required=True),
            NumericalFeature("price", scale=2.0, min_bucket=-4, max_bucket=32, default=0.5, required=True),
            MultiValuedFeature(
                "tags", weights="tag_weights", max_length=3, separator=",", min_frequency=4, max_tokens=9, num_oov=2
            ),
            SequenceFeature("history", max_length=5, separator=";", min_frequency=3, max_tokens=7, num_oov=4),
            NumberSequenceFeature("daily", max_length=6, separator=",", scale=3.0, min_bucket=-2, max_bucket=16),
            CategoricalFeature("place", default=None),
        ),
        tasks=(
            Task("click", "clicked", output="ctr"),
            Task("buy", "bought", follows="click", output="ctcvr", conditional_output="cvr"),
            Task("views", "view_count", kind="count"),
        ),
        scenario="place",
        group_key="user",
        split=TimeSplit("day", "2026-11-19", "2026-11-20"),
        groups={"who": ("user", "place"), "what": ("daily", "history")},
    )


def test_group_gives_the_features_of_a_group():
    spec = DatasetSpec.from_yaml(FULL)
    assert [feature.name for feature in spec.group("what")] == ["daily", "history"]
    assert spec.group("who") == (spec.feature("user"), spec.feature("place"))
    with pytest.raises(KeyError, match="where"):
        spec.group("where")
    assert spec.to_dict()["groups"] == {"who": ["user", "place"], "what": ["daily", "history"]}
    assert "groups" not in DatasetSpec.from_yaml(SMALL).to_dict()


def test_omitted_fields_have_their_defaults():
    spec = DatasetSpec.from_yaml(SMALL)
    assert (spec.scenario, spec.group_key, spec.groups, spec.version) == (None, None, {}, 1)
    assert spec.split == RandomSplit(key=(), eval=0.1, test=0.1, salt="")
    feature, task = spec.feature("u"), spec.task("t")
    assert (feature.min_frequency, feature.max_tokens, feature.num_oov) == (1, None, 1)
    assert (feature.default, feature.required) == ("<missing>", False)
    assert (task.kind, task.follows, task.output, task.conditional_output) == ("binary", None, "t", "")


@pytest.mark.parametrize("text", [FULL, SMALL])
def test_spec_is_unchanged_after_writing_and_reading(text, tmp_path):
    spec = DatasetSpec.from_yaml(text)
    copies = [
        DatasetSpec.from_yaml(spec.to_yaml()),
        DatasetSpec.from_yaml(spec.to_json()),
        DatasetSpec.from_dict(spec.to_dict()),
        DatasetSpec.from_dict(json.loads(spec.to_json())),
    ]
    (tmp_path / "spec.json").write_text(spec.to_json())
    copies.append(DatasetSpec.load(tmp_path / "spec.json"))
    for copy in copies:
        assert copy == spec
        assert copy.hash == spec.hash
        assert copy.to_yaml() == spec.to_yaml()
    assert yaml.safe_load(spec.to_yaml())["version"] == 1


def test_bounds_of_a_time_split_stay_numbers():
    split = TimeSplit("day", 20261119, 20261120)
    spec = dataclasses.replace(DatasetSpec.from_yaml(SMALL), split=split)
    assert DatasetSpec.from_yaml(spec.to_yaml()).split == split


def test_given_split_is_unchanged_after_writing_and_reading():
    spec = dataclasses.replace(DatasetSpec.from_yaml(SMALL), split=GivenSplit())
    assert DatasetSpec.from_yaml(spec.to_yaml()) == spec
    assert spec.to_dict()["split"] == {"kind": "given"}


def test_hash_is_computed_from_the_sorted_content():
    content = (
        '{"features": [{"kind": "categorical", "name": "u"}], "name": "s", '
        '"tasks": [{"kind": "binary", "label": "y", "name": "t", "output": "t"}], "version": 1}'
    )
    assert DatasetSpec.from_yaml(SMALL).hash == hashlib.sha256(content.encode()).hexdigest()[:16]


def test_hash_ignores_the_order_of_keys_and_explicit_defaults():
    def reversed_keys(value):
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(value)}
        return [reversed_keys(entry) for entry in value] if isinstance(value, list) else value

    spec = DatasetSpec.from_yaml(FULL)
    text = yaml.safe_dump(reversed_keys(yaml.safe_load(FULL)), sort_keys=False)
    assert text.startswith("split:")
    assert DatasetSpec.from_yaml(text).hash == spec.hash
    written = FULL.replace("kind: count}", "kind: count, output: views, follows: null}") + "version: 1\n"
    assert DatasetSpec.from_yaml(written).hash == spec.hash


CHANGES = yaml.safe_load("""
features:
  - {name: x, min_frequency: 7, max_tokens: 7, num_oov: 7, default: x, required: false, training_only: {value: x}}
  - {name: x, scale: 7, min_bucket: 7, max_bucket: 7, default: 7, required: false, training_only: {value: 7}}
  - {name: x, weights: x, max_length: 7, separator: x, min_frequency: 7, max_tokens: 7, num_oov: 7}
  - {name: x, max_length: 7, separator: x, min_frequency: 7, max_tokens: 8, num_oov: 7}
  - {name: x, max_length: 7, separator: x, scale: 7, min_bucket: 7, max_bucket: 7}
tasks:
  - {}
  - {name: x, label: x, kind: count, follows: null, output: x, conditional_output: x, positive: ["7"],
     offset: price, open: x, power: 1.2}
""")
"""A different value for each field of each kind of feature, and of a task, in FULL."""


RANDOM_CHANGES = {"key": ["user"], "eval": 0.2, "test": 0.2, "salt": "x"}


def changed(path, value):
    """Returns the plain data of FULL with one field changed, and the fields that depend on it."""
    data = yaml.safe_load(FULL)
    parent = data
    for part in path[:-1]:
        parent = parent[part]
    if path[-1] == "name" and path[0] == "features":
        old, groups = parent["name"], data["groups"]
        data["groups"] = {group: [value if name == old else name for name in groups[group]] for group in groups}
    parent[path[-1]] = value
    if path == ("tasks", 1, "follows"):
        del parent["conditional_output"]
    if path in (("tasks", 1, "kind"), ("tasks", 1, "offset")):
        parent["kind"] = "count"
        del parent["conditional_output"], parent["follows"]
    if path == ("tasks", 1, "power"):
        parent["kind"] = "value"
    return data


@pytest.mark.parametrize(
    ("group", "index", "name"),
    [
        (group, index, name)
        for group, entries in CHANGES.items()
        for index, entry in enumerate(entries)
        for name in entry
    ],
)
def test_hash_changes_with_any_field_of_a_feature_or_task(group, index, name):
    spec = DatasetSpec.from_dict(changed((group, index, name), CHANGES[group][index][name]))
    assert spec.hash != DatasetSpec.from_yaml(FULL).hash


def test_changes_cover_every_field():
    spec = DatasetSpec.from_yaml(FULL)
    for index, feature in enumerate(spec.features[:5]):
        names = {field.name for field in dataclasses.fields(feature)} - {"kind", "hashed", "vocabulary", "quantiles"}
        assert names == set(CHANGES["features"][index])
    assert {field.name for field in dataclasses.fields(Task)} == set(CHANGES["tasks"][1])


def test_hash_changes_with_any_field_of_the_spec():
    hashes = [DatasetSpec.from_yaml(FULL).hash]
    random = {"kind": "random"}
    splits = [random] + [{**random, name: value} for name, value in RANDOM_CHANGES.items()]
    time = {"kind": "time", "column": "day", "eval_from": 1, "test_from": 3}
    splits += [{"kind": "given"}, time, {**time, "column": "hour"}, {**time, "eval_from": 2}, {**time, "test_from": 4}]
    changes = [
        ("name", "x"),
        ("scenario", "user"),
        ("scenario", None),
        ("group_key", "place"),
        ("group_key", None),
        ("weight", "w"),
    ]
    changes += [("groups", groups) for groups in ({}, {"who": ["user"]}, {"who": ["place", "user"]}, {"wo": ["user"]})]
    for key, value in changes + [("split", split) for split in splits]:
        hashes.append(DatasetSpec.from_dict(changed((key,), value)).hash)
    data = yaml.safe_load(FULL)
    hashes.append(DatasetSpec.from_dict({**data, "features": data["features"][::-1]}).hash)
    hashes.append(DatasetSpec.from_dict({**data, "tasks": data["tasks"][::2]}).hash)
    assert len(set(hashes)) == len(hashes)


PLAIN = """
name: shop
features:
  - {name: item, kind: categorical}
  - {name: tags, kind: multi_valued}
  - {name: history, kind: sequence}
  - {name: price, kind: numerical}
  - {name: daily, kind: number_sequence}
tasks: [{name: click, label: clicked}]
"""


def test_hash_changes_with_the_kind_of_ids_and_with_crosses():
    data = yaml.safe_load(PLAIN)
    cross = {"name": "x", "features": ["item", "price"], "buckets": 10}
    specs = [data, {**data, "crosses": [cross]}, {**data, "crosses": [{**cross, "seed": 1}]}]
    specs.append({**data, "crosses": [{**cross, "features": ["price", "item"]}]})
    for index, changes in enumerate(
        [[{"hashed": {"buckets": 9}}, {"hashed": {"buckets": 9, "seed": 1}}, {"hashed": {"buckets": 8}}]] * 3
        + [[{"quantiles": 9}, {"quantiles": 8}]] * 2
    ):
        features = data["features"]
        changed_features = [[*features[:index], features[index] | one, *features[index + 1 :]] for one in changes]
        specs += [{**data, "features": one} for one in changed_features]
    for index in (1, 2):
        shared = data["features"][index] | {"vocabulary": "item"}
        specs.append({**data, "features": [*data["features"][:index], shared, *data["features"][index + 1 :]]})
    hashes = [DatasetSpec.from_dict(one).hash for one in specs]
    assert len(set(hashes)) == len(hashes) == 19
    for one in specs:
        spec = DatasetSpec.from_dict(one)
        assert DatasetSpec.from_yaml(spec.to_yaml()) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": "user"}, "weight: should be unique: a feature has the same name. Received: 'user'"),
        ({"weight": "0"}, "weight: should be a letter followed by letters, digits or underscores"),
        ({"weight": "w", "group_key": "w"}, "group_key: should be a column other than a label or weight"),
    ],
)
def test_rejects_columns_of_weights(changes, message):
    data = {
        "name": "shop",
        "features": [{"name": "user", "kind": "categorical"}],
        "tasks": [{"name": "t", "label": "y"}],
    }
    with pytest.raises(ConfigError) as error:
        DatasetSpec.from_dict({**data, **changes})
    assert message in str(error.value)
