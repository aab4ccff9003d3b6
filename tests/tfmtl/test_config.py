"""Strict loading of YAML into dataclasses."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

import pytest

from tfmtl import config
from tfmtl.config import ConfigError, FieldError, require


@dataclasses.dataclass(frozen=True)
class Circle:
    kind: Literal["circle"] = "circle"
    radius: float = 1.0

    def __post_init__(self):
        require(self.radius > 0, "radius", "above 0", self.radius)


@dataclasses.dataclass(frozen=True)
class Square:
    side: int
    kind: Literal["square"] = "square"


@dataclasses.dataclass(frozen=True)
class Frame:
    width: int


@dataclasses.dataclass(frozen=True)
class Drawing:
    title: str
    shapes: tuple[Circle | Square, ...] = ()
    colour: Literal["red", "blue"] = "red"
    scale: float | None = None
    first: int | float | str = 0
    visible: bool = True
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    extra: Any = None
    frame: Frame | None = None
    border: Frame | str | None = None


def build(text):
    return config.build(Drawing, config.parse_yaml(text, "d.yaml"))


@pytest.mark.parametrize(("text", "border"), [("thin", "thin"), ("{width: 2}", Frame(2)), ("null", None), ("'7'", "7")])
def test_a_mapping_or_a_scalar(text, border):
    drawing = build(f"{{title: park, border: {text}}}")
    assert drawing.border == border
    assert config.build(Drawing, config.Document(config.to_plain(drawing))) == drawing
    assert config.build(Drawing, config.Document({"title": "park", "border": border})) == drawing


@pytest.mark.parametrize(
    ("text", "message"),
    [("7", "border: should be a string. Received: 7"), ("{width: x}", "border.width: should be an integer")],
)
def test_neither_the_mapping_nor_the_scalar(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        build(f"{{title: park, border: {text}}}")


def test_builds_every_type_of_field():
    text = """
title: park
shapes:
  - {kind: circle, radius: 2}
  - {kind: square, side: 3}
colour: blue
scale: 1e-3
first: 2026-11
visible: false
weights: {a: 1, b: .5}
extra: {anything: [1, two]}
frame: {width: 7}
"""
    expected = Drawing(
        title="park",
        shapes=(Circle(radius=2.0), Square(side=3)),
        colour="blue",
        scale=0.001,
        first="2026-11",
        visible=False,
        weights={"a": 1.0, "b": 0.5},
        extra={"anything": [1, "two"]},
        frame=Frame(width=7),
    )
    drawing = build(text)
    assert drawing == expected
    assert isinstance(drawing.shapes[0].radius, float)
    assert isinstance(drawing.weights["a"], float)


def test_omitted_fields_have_their_defaults():
    assert build("title: park") == Drawing("park")
    assert build("{title: park, scale: null, frame: null}") == Drawing("park")


def test_to_plain_omits_defaults_but_keeps_the_kind():
    drawing = Drawing("park", shapes=(Circle(), Circle(radius=3.0)), scale=2.0, weights={"a": 1.0})
    plain = {
        "title": "park",
        "shapes": [{"kind": "circle"}, {"kind": "circle", "radius": 3.0}],
        "scale": 2.0,
        "weights": {"a": 1.0},
    }
    assert config.to_plain(drawing) == plain
    assert config.build(Drawing, config.Document(plain)) == drawing


def test_builds_a_part_of_a_document():
    document = config.parse_yaml("drawings:\n  - title: park\n    visible: 3\n", "d.yaml")
    message = "d.yaml:3: drawings[0].visible: should be a boolean (true or false)."
    with pytest.raises(ConfigError, match=re.escape(message)):
        config.build(Drawing, document, ("drawings", 0))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-11-18", "2026-11-18"),
        ("2026-11-18 12:30:00", "2026-11-18 12:30:00"),
        ("2026-11-18T12:30:00Z", "2026-11-18T12:30:00Z"),
        ("20261118", 20261118),
        ("1.5", 1.5),
        ("1e9", 1e9),
        ("-2.5E-3", -0.0025),
        ("+.5e+2", 50.0),
        ("'1e9'", "1e9"),
        ("1e9x", "1e9x"),
        ("e9", "e9"),
    ],
)
def test_dates_are_strings_and_scientific_notation_is_a_number(written, value):
    first = build(f"title: a\nfirst: {written}").first
    assert (first, type(first)) == (value, type(value))
    assert config.parse_yaml(f"{{{written}: {written}}}").data == {value: value}
    for one in (value, written.strip("'")):
        assert config.parse_yaml(config.dump_yaml({"first": one})).data == {"first": one}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: 3", "d.yaml:1: title: should be a string. Received: 3"),
        ("title: yes", "d.yaml:1: title: should be a string. Received: True"),
        ("visible: true", "d.yaml:1: title: should be given: Drawing requires it"),
        ("- title", "d.yaml:1: document: should be a mapping. Received: ['title']"),
        ("", "d.yaml: document: should be a mapping. Received: None"),
        ("title: a\nvisible: 1", "d.yaml:2: visible: should be a boolean (true or false). Received: 1"),
        ("title: a\nscale: [1]", "d.yaml:2: scale: should be a number. Received: [1]"),
        ("title: a\nscale: one", "d.yaml:2: scale: should be a number. Received: 'one'"),
        ("title: a\nscale: true", "d.yaml:2: scale: should be a number. Received: True"),
        ("title: a\nfirst: true", "d.yaml:2: first: should be an integer or a number or a string. Received: True"),
        ("title: a\ncolour: green", "d.yaml:2: colour: should be one of red, blue. Received: 'green'"),
        ("title: a\ncolour: [red]", "d.yaml:2: colour: should be one of red, blue. Received: ['red']"),
        ("title: a\nweights: [1]", "d.yaml:2: weights: should be a mapping. Received: [1]"),
        ("title: a\nweights:\n  x: 1\n  y: z", "d.yaml:4: weights.y: should be a number. Received: 'z'"),
        ("title: a\nweights:\n  1: 1", "d.yaml:3: weights.1: should be a string. Received: 1"),
        ("title: a\nshapes: 3", "d.yaml:2: shapes: should be a list. Received: 3"),
        ("title: a\nshapes:\n- 3", "d.yaml:3: shapes[0]: should be a mapping with a `kind`. Received: 3"),
        ("title: a\nshapes:\n- radius: 3", "d.yaml:3: shapes[0].kind: should be one of circle, square. Received: None"),
        ("title: a\nshapes:\n- kind: [1]", "d.yaml:3: shapes[0].kind: should be one of circle, square. Received: [1]"),
        (
            "title: a\nshapes:\n- kind: circle\n- kind: line",
            "d.yaml:4: shapes[1].kind: should be one of circle, square. Received: 'line'",
        ),
        (
            "title: a\nshapes:\n- kind: square\n  side: 2.5",
            "d.yaml:4: shapes[0].side: should be an integer. Received: 2.5",
        ),
        ("title: a\nshapes:\n- kind: square", "d.yaml:3: shapes[0].side: should be given: Square requires it"),
        (
            "title: a\nshapes:\n- {kind: circle, radius: -1}",
            "d.yaml:3: shapes[0].radius: should be above 0. Received: -1.0",
        ),
        ("title: a\ncolor: red", "d.yaml:2: color: should be a field of Drawing. Did you mean `colour`?"),
        (
            "title: a\nzzz: 1",
            "d.yaml:2: zzz: should be a field of Drawing. Known fields: "
            "title, shapes, colour, scale, first, visible, weights, extra, frame, border.",
        ),
        ("title: a\n7: 1", "d.yaml:2: 7: should be a field of Drawing. Known fields: "),
        ("title: a\ntitle: b", "d.yaml:2: should name each field once. Received: title"),
        ("title: a\nshapes:\n- kind: circle\n  kind: circle", "d.yaml:4: should name each field once. Received: kind"),
        ("title: [a", "d.yaml:1: should be valid YAML. Received: "),
        ("title: a\n  b: c", "d.yaml:2: should be valid YAML. Received: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "d.yaml:2: should be valid YAML. Received: but found another document"),
        ("title: a\n? [b, c]\n: d", "d.yaml:2: should be valid YAML. Received: found unhashable key"),
        ("title: !!python/object:os.system x", "d.yaml:1: should be valid YAML. Received: "),
        ("title: \x00", "d.yaml: should be valid YAML. Received: "),
    ],
)
def test_mistake_is_an_error_with_file_line_and_field(text, message):
    with pytest.raises(ConfigError) as caught:
        build(text)
    assert str(caught.value).startswith(message)


def test_error_about_plain_data_has_no_file_and_line():
    with pytest.raises(ConfigError, match=r"^title: should be a string. Received: 3$"):
        config.build(Drawing, config.Document({"title": 3}))


def test_reads_files_and_reports_unreadable_ones(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text("title: café", encoding="utf-8")
    assert config.build(Drawing, config.read_yaml(path)).title == "café"
    path.write_text("title: 3", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(f"{path}:1: title: should be a string")):
        config.build(Drawing, config.read_yaml(path))
    with pytest.raises(ConfigError, match=r"absent\.yaml: should be a readable YAML file. Received: No such file"):
        config.read_yaml(tmp_path / "absent.yaml")
    path.write_bytes("title: café".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"d\.yaml: should be a readable YAML file. Received: .*utf-8"):
        config.read_yaml(path)


def test_field_error_formats_the_path_of_the_field():
    error = FieldError(("shapes", 3, "radius"), "should be above 0. Received: 0")
    assert str(error) == "shapes[3].radius: should be above 0. Received: 0"
    assert str(FieldError("radius", "should be so")) == "radius: should be so"
    assert isinstance(error, ValueError)


def test_overlay_takes_fields_of_the_lower_document_where_the_upper_has_none():
    lower = config.parse_yaml("title: base\ncolour: green\nvisible: false", "base.yaml")
    upper = config.parse_yaml("title: mine", "mine.yaml")
    document = config.overlay(upper, lower)
    assert document.data == {"colour": "green", "visible": False, "title": "mine"}
    with pytest.raises(ConfigError, match=r"^base\.yaml:2: colour: should be one of red, blue"):
        config.build(Drawing, document)
    drawing = config.build(Drawing, document.without("colour"))
    assert drawing == Drawing("mine", visible=False)


def test_a_key_called_null_is_a_name():
    document = config.parse_yaml("data:\n  null: [a]\n  x: null\n")
    assert document.data == {"data": {"null": ["a"], "x": None}}
    assert document.lines[("data", "null")] == 2
