"""Former names of fields and values in configurations."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import ClassVar, Literal

import pytest

from tfmtl import config
from tfmtl.config import ConfigError, RenamedWarning, require


@dataclasses.dataclass(frozen=True)
class Shape:
    renamed_fields: ClassVar[Mapping[str, str]] = {"colour": "fill", "wide": "width"}
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"fill": {"crimson": "red"}}

    fill: Literal["red", "blue"] = "blue"
    width: int = 1

    def __post_init__(self):
        require(self.width >= 1, "width", "at least 1", self.width)


@dataclasses.dataclass(frozen=True)
class Drawing:
    shapes: tuple[Shape, ...] = ()


def build(text):
    """Returns the drawing and the messages of all warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawing = config.build(Drawing, config.parse_yaml(text, "d.yaml"))
    assert all(warning.category is RenamedWarning for warning in caught)
    return drawing, [str(warning.message) for warning in caught]


def test_present_names_give_no_warning():
    assert build("shapes: [{fill: red, width: 3}]") == (Drawing((Shape("red", 3),)), [])


def test_former_field_name_is_accepted_with_a_warning():
    drawing, messages = build("shapes:\n- fill: red\n- width: 2\n  colour: red")
    assert drawing == Drawing((Shape("red", 1), Shape("red", 2)))
    assert messages == ["d.yaml:4: shapes[1].colour: was renamed; write `fill` instead"]


def test_former_value_is_accepted_with_a_warning():
    drawing, messages = build("shapes:\n- width: 2\n  fill: crimson")
    assert drawing == Drawing((Shape("red", 2),))
    assert messages == ["d.yaml:3: shapes[0].fill: the value `crimson` was renamed; write `red` instead"]


def test_former_value_under_a_former_field_name_gives_both_warnings():
    drawing, messages = build("shapes: [{colour: crimson}]")
    assert drawing == Drawing((Shape("red"),))
    assert messages == [
        "d.yaml:1: shapes[0].colour: was renamed; write `fill` instead",
        "d.yaml:1: shapes[0].colour: the value `crimson` was renamed; write `red` instead",
    ]


def test_every_former_name_gives_a_warning():
    _, messages = build("shapes:\n- {colour: red, wide: 2}\n- {wide: 3}")
    assert [message.partition(": was")[0] for message in messages] == [
        "d.yaml:2: shapes[0].colour",
        "d.yaml:2: shapes[0].wide",
        "d.yaml:3: shapes[1].wide",
    ]


@pytest.mark.parametrize("fields", ["fill: red\n  colour: blue", "colour: blue\n  fill: red"])
def test_rejects_a_field_given_by_both_names(fields):
    with pytest.raises(ConfigError) as caught:
        build(f"shapes:\n- {fields}")
    line = 2 if fields.startswith("colour") else 3
    message = f"d.yaml:{line}: shapes[0].colour: should be removed: `fill`, its present name, is given as well"
    assert str(caught.value) == message


@pytest.mark.parametrize(("value", "message"), [("x", "an integer. Received: 'x'"), ("0", "at least 1. Received: 0")])
def test_error_names_the_field_as_it_is_written(value, message):
    text = f"shapes:\n- fill: red\n  wide: {value}"
    with pytest.warns(RenamedWarning), pytest.raises(ConfigError) as caught:
        config.build(Drawing, config.parse_yaml(text, "d.yaml"))
    assert str(caught.value) == f"d.yaml:3: shapes[0].wide: should be {message}"


def test_plain_data_gives_a_warning_without_file_and_line():
    with pytest.warns(RenamedWarning, match=r"^colour: was renamed; write `fill` instead$"):
        assert config.build(Shape, config.Document({"colour": "red"})) == Shape("red")


def test_to_plain_writes_present_names():
    drawing, _ = build("shapes: [{colour: crimson}]")
    assert config.to_plain(drawing) == {"shapes": [{"fill": "red"}]}
