"""Ids of hashed, shared and crossed features: their rules, their numbers of ids, and the inputs of a model."""

import pytest

from tfmtl.config import ConfigError
from tfmtl.features import CategoricalFeature, Hashing, SequenceFeature
from tfmtl.model_inputs import embedding_rows, shared_fields, transformed_inputs, vocabularies
from tfmtl.spec import DatasetSpec

TEXT = """
name: shop
features:
  - {name: item, kind: categorical, num_oov: 2}
  - {name: last_items, kind: sequence, vocabulary: item, max_length: 4}
  - {name: device, kind: categorical, hashed: {buckets: 100}}
  - {name: devices, kind: multi_valued, vocabulary: device}
  - {name: price, kind: numerical, quantiles: 10}
  - {name: position, kind: categorical, training_only: {value: "1"}}
tasks: [{name: click, label: clicked}]
crosses:
  - {name: item_device, features: [item, device], buckets: 50}
  - {name: shown, features: [position, price], buckets: 20}
"""


def test_numbers_of_ids_follow_from_vocabularies_and_hashes():
    spec = DatasetSpec.from_yaml(TEXT)
    assert vocabularies(spec) == ("item", "position")
    assert shared_fields(spec) == {"last_items": "item", "devices": "device"}
    rows = embedding_rows(spec, {"item": 7, "position": 3})
    assert rows == {
        "item": 9,
        "last_items": 9,
        "device": 100,
        "devices": 100,
        "price": 11,
        "position": 4,
        "item_device": 50,
        "shown": 20,
    }
    assert [one.name for one in transformed_inputs(spec)][-2:] == ["item_device", "shown"]


def test_a_cross_of_a_feature_that_is_known_in_training_only_is_not_a_feature_of_the_server():
    assert [cross.name for cross in DatasetSpec.from_yaml(TEXT).served.crosses] == ["item_device"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "vocabulary: item,",
            "vocabulary: items,",
            "features[1].vocabulary: should be a feature of tokens with its own",
        ),
        ("vocabulary: item,", "vocabulary: devices,", "features[1].vocabulary: should be a feature of tokens with its"),
        (
            "vocabulary: item,",
            "vocabulary: price,",
            "features[1].vocabulary: should be a feature of tokens with its own",
        ),
        ("vocabulary: item,", "vocabulary: position,", "should be a feature that is known where the model is served"),
        ("vocabulary: item,", "vocabulary: item, num_oov: 2,", "num_oov: should be omitted beside `vocabulary`"),
        (
            "vocabulary: item,",
            "vocabulary: item, hashed: {buckets: 9},",
            "hashed: should be omitted beside `vocabulary`",
        ),
        ("hashed: {buckets: 100}", "hashed: {buckets: 1}", "buckets: should be above 1 and below 2^31"),
        (
            "hashed: {buckets: 100}",
            "hashed: {buckets: 9}, max_tokens: 3",
            "max_tokens: should be omitted beside `hashed`",
        ),
        ("[item, device]", "[item]", "features: should be two features at least"),
        ("[item, device]", "[item, device, item]", "features: should be distinct features"),
        ("[item, device]", "[item, devices]", "crosses[0].features[1]: should be a categorical or numerical feature"),
        ("[item, device]", "[item, none]", "crosses[0].features[1]: should be a categorical or numerical feature"),
        ("name: item_device", "name: item", "crosses[0].name: should be unique: a feature has the same name"),
        ("name: item_device", "name: shown", "crosses[1].name: should be unique: a cross has the same name"),
        ("buckets: 50", "buckets: 0", "crosses[0].buckets: should be above 1"),
    ],
)
def test_errors_name_the_field(old, new, message):
    assert old in TEXT
    with pytest.raises(ConfigError) as error:
        DatasetSpec.from_yaml(TEXT.replace(old, new))
    assert message in str(error.value)


def test_a_hash_or_shared_vocabulary_replaces_the_options_of_a_vocabulary():
    assert SequenceFeature("a", vocabulary="b").num_oov == 1
    with pytest.raises(ValueError, match="min_frequency: should be omitted beside `hashed`"):
        CategoricalFeature("a", hashed=Hashing(9), min_frequency=2)
