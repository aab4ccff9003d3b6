"""HTML of a page: escaped, self-contained, and its tables."""

import html.parser
import json
import re

import pytest

from pipelines.report.page.blocks import Cell, Choices, Code, Figure, Section, Text, estimate, number, table
from pipelines.report.page.render import render_page

EVIL = "</script><script>alert(1)</script><!-- <b>&"
SPEC = {"data": {"values": [{"x": EVIL, "y": 1}]}, "mark": "bar", "encoding": {"x": {"field": "x", "type": "nominal"}}}


def page():
    blocks = (
        Text(EVIL),
        Code(EVIL, EVIL),
        table(
            ("name", "value", "nothing"), [[EVIL, number(1.5), ""], [Cell("b", link="a.html"), number(None), ""]], EVIL
        ),
        Figure("one", EVIL, EVIL, SPEC),
        Figure("two", "Two", "", SPEC),
    )
    choices = Choices("Names", "name", (EVIL, "b"))
    return render_page(EVIL, [(EVIL, EVIL)], [Section("first", EVIL, blocks)], choices)


class Balance(html.parser.HTMLParser):
    """Checks that every tag is closed."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.alerts = [], 0

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_text_of_users_stays_text():
    text = page()
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert "<script>alert" not in text
    specs = json.loads(re.search(r'<script id="figure-specs"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    assert specs["one"]["data"]["values"][0]["x"] == EVIL


def test_page_loads_nothing():
    text = page()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert "@import" not in re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]


def test_page_without_figures_has_no_libraries():
    assert len(render_page("t", [], [Section("a", "A", (Text("text"),))])) < 30_000


def test_figures_have_different_names():
    section = Section("first", "First", (Figure("one", "", "", SPEC), Figure("one", "", "", SPEC)))
    with pytest.raises(ValueError, match="different names"):
        render_page("t", [], [section])


def test_columns_without_values_are_left_out():
    shown = table(("a", "b", "c"), [["1", number(float("nan")), ""], ["2", "", number(0.0)]])
    assert shown.columns == ("a", "c")
    assert [[cell.text for cell in row] for row in shown.rows] == [["1", ""], ["2", "0.0000"]]


def test_estimate_sorts_by_its_number():
    cell = estimate(0.01, 0.002, "+.3f")
    assert (cell.text, cell.number) == ("+0.010 ± 0.002", 0.01)
    assert estimate(0.5, float("nan")).text == "0.5000"
