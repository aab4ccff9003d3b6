"""Positive values of labels, and columns that a random split may hash."""

import pytest

from tfmtl.config import ConfigError
from tfmtl.spec import DatasetSpec, Task

SPEC = """
name: shop
features: [{{name: user, kind: categorical}}]
tasks: [{{name: click, label: clicked, positive: {positive}}}]
split: {{kind: random, key: {key}}}
"""


def load(positive="[]", key="[]"):
    return DatasetSpec.from_yaml(SPEC.format(positive=positive, key=key))


def test_positive_values_are_texts():
    spec = load("[4, 5.0, true, buy, '>= 4']")
    assert spec.tasks[0].positive == ("4", "5.0", "true", "buy", ">= 4")
    assert DatasetSpec.from_yaml(spec.to_yaml()) == spec
    assert DatasetSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize("entry", [">= four", ">", "<= 4 5"])
def test_a_comparison_needs_a_number(entry):
    with pytest.raises(
        ConfigError, match=r"tasks\[0\].positive\[0\]: should be a value, or a comparison with a number"
    ):
        load(f"['{entry}']")


def test_a_count_has_no_positive_values():
    with pytest.raises(ValueError, match="positive: should be omitted for a count"):
        Task("visits", "visits", kind="count", positive=("1",))


def test_a_random_split_does_not_hash_labels():
    with pytest.raises(ConfigError, match=r"split.key\[1\]: should be a column other than a label"):
        load(key="[user, clicked]")
