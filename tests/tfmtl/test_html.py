"""HTML that a notebook shows of specs, models and the health of their mechanisms."""

import doctest

import keras
import numpy as np
import pytest

from tests.html_check import texts_of
from tests.tfmtl import cases
from tfmtl import html_tables, html_views
from tfmtl.health import Bound, Health, HealthReport, model_health
from tfmtl.html_tables import html_block, html_table
from tfmtl.models import MMoE
from tfmtl.spec import DatasetSpec, Task


def test_table_escapes_every_text():
    evil = "<script>alert('1')</script>&\""
    table = html_table([evil, "rows"], [[evil, None]], caption=evil)
    assert "<script" not in table
    assert texts_of(table).count(evil) == 3
    assert texts_of(html_block(evil, [table], [evil])).count(evil) == 5


def test_columns_of_numbers_are_aligned_to_the_right():
    table = html_table(["name", "gain"], [["mmoe", None], ["man", "-0.004"]])
    assert [part.split('"')[0] for part in table.split("text-align:")[1:]] == ["left", "right"] * 3


@pytest.mark.parametrize("module", [html_tables, html_views])
def test_examples_run(module):
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 0) == (0, True)


def test_checker_sees_what_is_not_closed():
    with pytest.raises(AssertionError):
        texts_of("<div><b>text</div></b>")
    with pytest.raises(AssertionError):
        texts_of("<script></script>")


def test_spec_shows_its_tasks_chains_and_features():
    spec = cases.chain()
    texts = texts_of(spec._repr_html_())
    assert {"user", "price", "tags", "history", "click", "clicked", "views", "click → buy → back; views"} <= set(texts)
    assert "cvr on rows with click = 1, ctcvr on all rows" in texts
    assert "max_bucket: 8" in texts
    assert "DatasetSpec" in repr(spec)


def test_task_that_two_others_follow():
    tasks = (Task("click", "a"), Task("buy", "b", follows="click"), Task("call", "c", follows="click"))
    assert html_views.chains(DatasetSpec("shop", cases.pair().features, tasks)) == ["click → buy", "click → call"]


def test_model_shows_its_outputs():
    model = MMoE.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, expert_units=[8], space="conditional")
    texts = texts_of(model._repr_html_())
    assert {"ctr", "cvr", "ctcvr", "rows with click = 1", f"{model.count_params():,} parameters"} <= set(texts)
    assert repr(model) == keras.Model.__repr__(model)
    restored = MMoE.from_config(model.get_config())
    assert texts_of(restored._repr_html_()) == texts


def test_health_report_is_a_tuple_that_shows_its_measures():
    dead = Health("gate", "gate of buy", "relative_entropy", 0.9984, Bound(high=0.99))
    report = HealthReport([dead, Health("selector", "selector, layer 1", "saturation", 0.5)])
    assert report == (dead, report[1])
    texts = texts_of(report._repr_html_())
    assert {"gate of buy", "DEAD", "below 0.99", "selector, layer 1", f"DEAD: {dead.sentence}"} <= set(texts)
    assert "no mechanism" in HealthReport()._repr_html_()


def test_model_health_returns_a_report():
    model = MMoE.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, expert_units=[8])
    report = model_health(model, [(cases.features(64), {"click": np.ones(64), "buy": np.ones(64)})])
    assert isinstance(report, HealthReport)
    assert "gate of click" in texts_of(report._repr_html_())
    assert model_health(model, []) == HealthReport()
