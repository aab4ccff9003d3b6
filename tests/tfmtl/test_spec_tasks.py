"""Outputs of chains, trees and several roots of tasks in a DatasetSpec."""

import dataclasses
import itertools

import pytest

from tfmtl import DatasetSpec
from tfmtl.features import CategoricalFeature
from tfmtl.spec import Output, Task


def spec_of(*tasks):
    return DatasetSpec("s", (CategoricalFeature("user"),), tasks)


def outputs(spec):
    return [(output.name, output.task, output.space) for output in spec.outputs]


def test_outputs_of_a_pair_with_given_names():
    buy = Task("buy", "bought", follows="click", output="ctcvr", conditional_output="cvr")
    spec = spec_of(Task("click", "clicked", output="ctr"), buy)
    assert spec.outputs == (
        Output("ctr", "click", "entire"),
        Output("cvr", "buy", "conditional"),
        Output("ctcvr", "buy", "entire"),
    )
    assert spec.labels == ("clicked", "bought")
    assert spec.task("buy") is buy
    assert spec.feature("user").name == "user"


def test_outputs_of_a_chain_of_five_tasks():
    names = ["click", "cart", "order", "pay", "keep"]
    tasks = [Task(name, f"is_{name}", follows=previous) for previous, name in zip([None, *names], names, strict=False)]
    spec = spec_of(*tasks)
    expected = [("click", "click", "entire")]
    for previous, name in itertools.pairwise(names):
        expected += [(f"{name}_given_{previous}", name, "conditional"), (name, name, "entire")]
    assert outputs(spec) == expected
    assert DatasetSpec.from_yaml(spec.to_yaml()) == spec


def test_outputs_of_two_tasks_that_follow_the_same_task():
    spec = spec_of(Task("click", "c"), Task("buy", "b", follows="click"), Task("share", "s", follows="click"))
    assert outputs(spec) == [
        ("click", "click", "entire"),
        ("buy_given_click", "buy", "conditional"),
        ("buy", "buy", "entire"),
        ("share_given_click", "share", "conditional"),
        ("share", "share", "entire"),
    ]


def test_outputs_of_two_roots_and_a_count():
    spec = spec_of(
        Task("click", "c"), Task("like", "l"), Task("views", "v", kind="count"), Task("share", "s", follows="like")
    )
    assert outputs(spec) == [
        ("click", "click", "entire"),
        ("like", "like", "entire"),
        ("views", "views", "entire"),
        ("share_given_like", "share", "conditional"),
        ("share", "share", "entire"),
    ]


def test_unknown_name_raises_key_error():
    spec = spec_of(Task("click", "c"))
    with pytest.raises(KeyError, match="buy"):
        spec.task("buy")
    with pytest.raises(KeyError, match="price"):
        spec.feature("price")


def test_spec_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec_of(Task("click", "c")).name = "other"
