"""From a spec to tensors and rows."""

import pytest

from tests.tfmtl import cases, panel_cases
from tfmtl.model_inputs import bags, embedding_rows, transformed_inputs, vocabularies


def test_transformed_inputs():
    inputs = [(one.name, one.dtype, one.shape) for one in transformed_inputs(cases.pair())]
    assert inputs == [
        ("user", "int64", ()),
        ("price", "int64", ()),
        ("tags", "int64", (3,)),
        ("tags__weights", "float32", (3,)),
        ("history", "int64", (4,)),
        ("history__weights", "float32", (4,)),
    ]


def test_bags():
    assert bags(cases.pair()) == ("tags", "history")


def test_sequences_of_numbers_are_bags_without_a_vocabulary():
    spec = panel_cases.SPEC
    inputs = {one.name: (one.dtype, one.shape) for one in transformed_inputs(spec)}
    assert inputs["clicks"] == ("int64", (3,))
    assert inputs["clicks__weights"] == ("float32", (3,))
    assert bags(spec) == ("logins", "campaign", "clicks", "words")
    assert vocabularies(spec) == ("channel", "size", "campaign", "words")
    assert embedding_rows(spec, panel_cases.SIZES) == panel_cases.ROWS


def test_embedding_rows_in_the_order_of_the_spec():
    assert list(embedding_rows(cases.pair(), cases.SIZES).items()) == list(cases.ROWS.items())


def test_missing_and_unseen_have_ids_of_their_own():
    text = cases.FEATURES.replace("kind: categorical", "kind: categorical, num_oov: 5")
    text = text.replace("max_bucket: 8", "min_bucket: -3, max_bucket: 8")
    spec = cases.DatasetSpec.from_yaml(text + cases.CLICK)
    rows = embedding_rows(spec, {**cases.SIZES, "user": 0})
    assert rows["user"] == 5
    assert rows["price"] == 1 + len(range(-3, 9))


def test_a_size_that_is_not_given():
    with pytest.raises(ValueError, match=r"`vocabulary_sizes` should hold `tags`. Received: \['history', 'user'\]"):
        embedding_rows(cases.pair(), {"user": 1, "history": 2})
