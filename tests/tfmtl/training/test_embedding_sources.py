"""Sources of embedding rows in a warm start, for hashed, shared and crossed features and for quantiles."""

import dataclasses

import numpy as np
import pytest

from tfmtl.features import CategoricalFeature, Cross, Hashing, NumericalFeature, SequenceFeature
from tfmtl.models import SharedBottom
from tfmtl.spec import DatasetSpec, Task
from tfmtl.training.embedding_rows import FieldRows, row_sources
from tfmtl.training.warm_start import warm_start

SPEC = DatasetSpec(
    "shop",
    (
        CategoricalFeature("item"),
        SequenceFeature("history", vocabulary="item", max_length=2),
        CategoricalFeature("device", hashed=Hashing(5)),
        NumericalFeature("price", quantiles=3),
    ),
    (Task("click", "clicked"),),
    crosses=(Cross("item_device", ("item", "device"), buckets=6),),
)
OLD, NEW = {"item": [b"a", b"b"]}, {"item": [b"c", b"b", b"a"]}


def changed(**features):
    """Returns the spec with other features of the same names."""
    return dataclasses.replace(SPEC, features=tuple(features.get(one.name, one) for one in SPEC.features))


def test_ids_that_mean_the_same_are_copied():
    sources, fields = row_sources(SPEC, NEW, SPEC, OLD)
    assert list(sources) == ["item", "device", "price", "item_device"]
    assert sources["item"].tolist() == [0, -1, 2, 1]
    for name, count in (("device", 5), ("price", 4), ("item_device", 6)):
        assert sources[name].tolist() == list(range(count))
    assert (fields["device"], fields["price"]) == (FieldRows(5, 0, 0), FieldRows(3, 0, 0))


@pytest.mark.parametrize(
    ("name", "spec", "kept"),
    [
        ("device", changed(device=CategoricalFeature("device", hashed=Hashing(5, seed=1))), FieldRows(0, 5, 5)),
        ("device", changed(device=CategoricalFeature("device", hashed=Hashing(4))), FieldRows(0, 5, 4)),
        ("price", changed(price=NumericalFeature("price", quantiles=2)), FieldRows(0, 3, 2)),
        ("price", changed(price=NumericalFeature("price")), FieldRows(0, 3, 65)),
        ("item_device", dataclasses.replace(SPEC, crosses=()), FieldRows(0, 6, 0)),
        (
            "item_device",
            dataclasses.replace(SPEC, crosses=(Cross("item_device", ("device", "item"), buckets=6),)),
            FieldRows(0, 6, 6),
        ),
    ],
)
def test_ids_of_another_meaning_are_not_copied(name, spec, kept):
    sources, fields = row_sources(SPEC, NEW, spec, OLD)
    assert set(sources[name]) == {-1}
    assert fields[name] == kept


def test_a_vocabulary_replaces_a_hash_and_the_other_way_round():
    plain = changed(device=CategoricalFeature("device"))
    tokens = {"device": [b"x", b"y"]}
    assert set(row_sources(SPEC, NEW, plain, OLD | tokens)[0]["device"]) == {-1}
    assert set(row_sources(plain, NEW | tokens, SPEC, OLD)[0]["device"]) == {-1}


def test_a_warm_start_copies_the_rows_of_shared_embeddings_once():
    old, model = SharedBottom(SPEC, {"item": 2}), SharedBottom(SPEC, {"item": 3})
    for one in (old, model):
        one(one.zero_batch())
    assert old.embedding.table.shape[0] == 3 + 5 + 4 + 6
    before = np.asarray(model.embedding.table)
    found = warm_start(model, NEW, old, OLD)
    assert found.fields["item"] == FieldRows(2, 1, 0)
    table, old_table = np.asarray(model.embedding.table), np.asarray(old.embedding.table)
    np.testing.assert_array_equal(table[[0, 2, 3]], old_table[[0, 2, 1]])
    np.testing.assert_array_equal(table[1], before[1])
    np.testing.assert_array_equal(table[4:], old_table[3:])
