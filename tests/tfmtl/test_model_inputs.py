"""Inputs of a model: tensors and numbers of ids of a spec's features."""

import pytest

from tests.tfmtl import cases, panel_cases
from tfmtl.model_inputs import embedding_rows, multivalent_features, transformed_inputs, vocabularies


def test_transformed_inputs_have_ids_and_weights():
    inputs = [(tensor.name, tensor.dtype, tensor.shape) for tensor in transformed_inputs(cases.pair())]
    assert inputs == [
        ("user", "int64", ()),
        ("price", "int64", ()),
        ("tags", "int64", (3,)),
        ("tags__weights", "float32", (3,)),
        ("history", "int64", (4,)),
        ("history__weights", "float32", (4,)),
    ]


def test_multivalent_features_in_the_order_of_the_spec():
    assert multivalent_features(cases.pair()) == ("tags", "history")


def test_number_sequences_are_multivalent_without_a_vocabulary():
    spec = panel_cases.SPEC
    inputs = {tensor.name: (tensor.dtype, tensor.shape) for tensor in transformed_inputs(spec)}
    assert inputs["clicks"] == ("int64", (3,))
    assert inputs["clicks__weights"] == ("float32", (3,))
    assert multivalent_features(spec) == ("logins", "campaign", "clicks", "words")
    assert vocabularies(spec) == ("channel", "size", "campaign", "words")
    assert embedding_rows(spec, panel_cases.SIZES) == panel_cases.ROWS


def test_embedding_rows_are_in_the_order_of_the_spec():
    assert list(embedding_rows(cases.pair(), cases.SIZES).items()) == list(cases.ROWS.items())


def test_embedding_rows_count_ids_of_missing_and_unseen_values():
    text = cases.FEATURES.replace("kind: categorical", "kind: categorical, num_oov: 5")
    text = text.replace("max_bucket: 8", "min_bucket: -3, max_bucket: 8")
    spec = cases.DatasetSpec.from_yaml(text + cases.CLICK)
    rows = embedding_rows(spec, {**cases.SIZES, "user": 0})
    assert rows["user"] == 5
    assert rows["price"] == 1 + len(range(-3, 9))


def test_rejects_a_missing_vocabulary_size():
    with pytest.raises(ValueError, match=r"`vocabulary_sizes` should contain `tags`. Received: \['history', 'user'\]"):
        embedding_rows(cases.pair(), {"user": 1, "history": 2})
