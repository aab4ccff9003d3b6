"""Positive values of labels, values at the end of a chain, and columns that a random split may hash."""

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


VALUES = """
name: shop
features: [{name: user, kind: categorical}, {name: price, kind: numerical}]
tasks:
  - {name: click, label: clicked}
  - {name: buy, label: bought, follows: click, open: buy_open}
  - {name: revenue, label: paid, kind: value, follows: buy, output: expected_value, power: 1.3}
  - {name: dwell, label: seconds, kind: value, offset: price}
"""


def test_a_value_ends_a_chain_or_stands_alone():
    spec = DatasetSpec.from_yaml(VALUES)
    outputs = [(output.name, output.space) for output in spec.outputs if output.task in ("revenue", "dwell")]
    assert outputs == [("revenue_given_buy", "conditional"), ("expected_value", "entire"), ("dwell", "entire")]
    assert [spec.task(name).power for name in ("revenue", "dwell")] == [1.3, 1.5]
    assert DatasetSpec.from_yaml(spec.to_yaml()) == spec
    assert DatasetSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: dwell,", "name: dwell, follows: revenue,", r"tasks\[3\].follows: should be a binary task"),
        ("power: 1.3", "power: 2.0", r"tasks\[2\].power: should be above 1 and below 2. Received: 2.0"),
        ("power: 1.3", "power: 1", r"tasks\[2\].power: should be above 1 and below 2. Received: 1"),
        (
            "label: clicked",
            "label: clicked, power: 1.2",
            r"tasks\[0\].power: should be omitted for a task that is not a",
        ),
        ("power: 1.3", "positive: [1]", r"tasks\[2\].positive: should be omitted for a count and for a value"),
    ],
)
def test_mistakes_of_values(old, new, message):
    with pytest.raises(ConfigError, match=message):
        DatasetSpec.from_yaml(VALUES.replace(old, new))
