"""Offsets of counts in a spec, and the inputs of a model that they add."""

import pytest

from tests.tfmtl import cases
from tfmtl import DatasetSpec
from tfmtl.config import ConfigError
from tfmtl.model_inputs import TransformedInput, offsets, transformed_inputs
from tfmtl.spec import Offset, Task

SPEC = """\
name: panel
features:
  - {{name: shop, kind: categorical}}
  - {{name: shown, kind: numerical}}
  - {{name: pay, kind: number_sequence, max_length: 14}}
  - {{name: user__exposure, kind: numerical}}
tasks:
  - {{name: {name}, label: label, kind: {kind}, offset: {offset}}}
"""


def load(offset, name="next_pay", kind="count"):
    return DatasetSpec.from_yaml(SPEC.format(offset=offset, name=name, kind=kind), "panel.yaml")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("shown", Offset("shown")),
        ("{feature: shown, floor: 2}", Offset("shown", floor=2.0)),
        ("{feature: pay, mean_of_last: 7}", Offset("pay", mean_of_last=7)),
        ("{feature: pay, mean_of_last: 14}", Offset("pay", mean_of_last=14)),
    ],
)
def test_reads_and_writes(text, offset):
    spec = load(text)
    assert offsets(spec) == {"next_pay": offset}
    assert DatasetSpec.from_yaml(spec.to_yaml()) == spec
    assert DatasetSpec.from_dict(spec.to_dict()).hash == spec.hash
    assert Task("next_pay", "label", kind="count", offset=offset) == spec.tasks[0]


def test_hash():
    found = ["null", "shown", "{feature: shown, floor: 2}", "{feature: pay, mean_of_last: 7}"]
    assert len({load(text).hash for text in found}) == 4
    assert load("{feature: shown}").hash == load("shown").hash
    assert "offset" not in load("null").to_json()
    assert cases.chain().hash == "8f45b54c3f978651"  # As before tasks had offsets.


def test_exposure_is_the_last_input_of_a_spec_with_an_offset():
    *others, last = transformed_inputs(load("shown"))
    assert tuple(others) == transformed_inputs(load("null"))
    assert last == TransformedInput("next_pay__exposure", "float32", ())


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        ("view", "should be a numerical feature or a number sequence: shown, pay, user__exposure. Received: 'view'"),
        ("shop", "should be a numerical feature or a number sequence: shown, pay, user__exposure. Received: 'shop'"),
        ("3", "should be a string. Received: 3"),
        ("{mean_of_last: 7}", ".feature: should be given: Offset requires it"),
        ("{feature: pay, mean_of_first: 7}", ".mean_of_first: should be a field of Offset."),
        ("pay", ".mean_of_last: should be a number of positions up to 14, the length of pay. Received: None"),
        ("{feature: pay, mean_of_last: 15}", ".mean_of_last: should be a number of positions up to 14"),
        ("{feature: pay, mean_of_last: 0}", ".mean_of_last: should be at least 1. Received: 0"),
        ("{feature: shown, mean_of_last: 7}", ".mean_of_last: should be omitted: shown is not a sequence. Received: 7"),
        ("{feature: shown, floor: 0}", ".floor: should be above 0 and finite. Received: 0.0"),
        ("{feature: shown, floor: .inf}", ".floor: should be above 0 and finite. Received: inf"),
    ],
)
def test_rejects_wrong_offsets(offset, message):
    with pytest.raises(ConfigError) as caught:
        load(offset)
    field = "tasks[0].offset" + ("" if message.startswith(".") else ": ")
    assert str(caught.value).startswith(f"panel.yaml:8: {field}{message}")


def test_rejects_the_offset_of_a_binary_task():
    with pytest.raises(ConfigError) as caught:
        load("shown", kind="binary")
    message = "panel.yaml:8: tasks[0].offset: should be omitted for a binary task. Received: 'shown'"
    assert str(caught.value) == message


def test_rejects_a_name_that_a_column_has():
    with pytest.raises(ConfigError, match=r"tasks\[0\].offset: should be omitted: a column has the name user__expos"):
        load("shown", name="user")
