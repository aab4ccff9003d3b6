"""Columns of open labels in a spec: their names, and what does not fit together."""

import pytest

from tfmtl import DatasetSpec
from tfmtl.config import ConfigError
from tfmtl.spec import OpenLabels, Task

TEXT = """
name: shop
features: [{name: user, kind: categorical}]
tasks:
  - {name: click, label: clicked%s}
  - {name: buy, label: bought, follows: click, open: %s}
split: %s
%s
"""
IMPORTANCE = "{column: bought_pending, maturity: importance, copy: bought_copy}"
DELAY = "{column: bought_pending, maturity: delay, elapsed: bought_elapsed}"
SAMPLING = "sampling: {task: click, negatives: 0.1}"
BY_KEY = "{kind: random, key: [user]}"


def spec_of(buy=IMPORTANCE, split=BY_KEY, more="", click=""):
    return DatasetSpec.from_yaml(TEXT % (click, buy, split, more))


def test_a_name_is_a_column_of_rows_that_wait():
    assert Task("buy", "bought", open="bought_open").open == OpenLabels("bought_open", maturity="wait")
    spec = spec_of("bought_open")
    assert spec.maturity_columns == ("bought_open",)
    assert DatasetSpec.from_dict(spec.to_dict()) == spec
    assert spec.hash == spec_of("{column: bought_open, maturity: wait}").hash


def test_columns_by_role():
    copied = "{column: bought_pending, maturity: delay, elapsed: bought_elapsed, copy: bought_copy}"
    spec = spec_of(copied)
    assert spec.open_columns == {"bought": "bought_pending"}
    assert spec.copy_columns == {"bought": "bought_copy"}
    assert spec.elapsed_columns == {"bought": "bought_elapsed"}
    assert spec.maturity_columns == ("bought_pending", "bought_copy", "bought_elapsed")
    assert DatasetSpec.from_dict(spec.to_dict()).hash == spec.hash


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"buy": "{column: bought_pending, maturity: soon}"}, "maturity: should be one of"),
        ({"buy": "{column: bought_pending, maturity: importance}"}, "copy: should be the column that marks copies"),
        ({"buy": "{column: bought_pending, maturity: delay}"}, "elapsed: should be the column of elapsed days"),
        ({"buy": "{column: bought_pending, elapsed: days}"}, "elapsed: should be omitted unless `maturity` is delay"),
        ({"split": "{kind: random}"}, "split.key: should be given, so that a row and its copy are in the same split"),
        ({"split": "{kind: random, key: [bought_copy]}"}, "split.key"),
        ({"buy": "{column: click}"}, "columns whose names are not those of tasks"),
        ({"buy": "{column: user}"}, "a feature has the same name"),
        (
            {"click": ", open: {column: p, maturity: importance, copy: c}", "more": SAMPLING},
            "sampling.task: should be a task without `maturity: importance` or `delay`",
        ),
    ],
)  # fmt: skip
def test_mistakes(arguments, message):
    with pytest.raises(ConfigError) as caught:
        spec_of(**arguments)
    assert message in str(caught.value)


def test_sampled_clicks_with_late_purchases_are_accepted():
    assert spec_of(DELAY, more=SAMPLING).sampling.task == "click"
