"""All premises: the strength changes neither rates nor deviations, and 0 is the log without a premise."""

import dataclasses

import numpy as np
import pytest

from tests.transforms.simulation.premises.example_worlds import NAMES, load, rows, world
from tfmtl.config import ConfigError, Document, build
from transforms.simulation import simulator
from transforms.simulation.options import SimulatorOptions

STRENGTHS = (0.0, 0.3, 1.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_rates_and_deviations_do_not_depend_on_the_strength(name, strength):
    logits, tasks = rows(name, strength)[["click", "conversion"]], world(name, strength).options.tasks
    for task in logits:
        assert logits[task].std() == pytest.approx(tasks[task].strength, rel=0.03)
    click, conversion = (1 / (1 + np.exp(-logits[task])) for task in logits)
    assert click.mean() == pytest.approx(tasks["click"].rate, rel=0.03)
    assert np.average(conversion, weights=click) == pytest.approx(tasks["conversion"].rate, rel=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_strength_does_not_change_the_features(name):
    first, *others = (rows(name, strength).drop(columns=["click", "conversion"]) for strength in STRENGTHS)
    assert all(first.equals(other) for other in others)


@pytest.mark.parametrize("name", NAMES)
def test_strength_0_is_the_log_without_a_premise(draw_log, name):
    changes = {"new_groups": 0.0} if name == "man" else {}
    spec, options = load(name, strength=0.0, **changes)
    options = dataclasses.replace(options, rows=2000)
    absent = draw_log(spec, dataclasses.replace(options, premise=None))
    zero = draw_log(spec, options)
    little = draw_log(spec, dataclasses.replace(options, premise=dataclasses.replace(options.premise, strength=0.01)))
    for file in ("log", "truth"):
        assert getattr(zero.files, file).read_bytes() == getattr(absent.files, file).read_bytes()
    assert little.files.truth.read_bytes() != absent.files.truth.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_log_does_not_depend_on_chunks_or_on_the_number_of_rows(draw_log, monkeypatch, name):
    spec, options = load(name)
    options = dataclasses.replace(options, rows=3000)
    whole = draw_log(spec, options)
    shorter = draw_log(spec, dataclasses.replace(options, rows=1001))
    other = draw_log(spec, dataclasses.replace(options, seed=options.seed + 1))
    monkeypatch.setattr(simulator, "CHUNK_ROWS", 701)
    chunked = draw_log(spec, options)
    for file in ("log", "truth"):
        content = getattr(whole.files, file).read_bytes()
        assert getattr(chunked.files, file).read_bytes() == content
        assert content.startswith(getattr(shorter.files, file).read_bytes())
        assert getattr(other.files, file).read_bytes() != content


@pytest.mark.parametrize("name", ["man", "apem"])
@pytest.mark.parametrize("task", ["click", "conversion"])
def test_logit_mixes_those_without_and_with_the_premise(name, task):
    """With the strength s, the coefficients of the two logits are proportional to sqrt(1 - s) and sqrt(s)."""
    absent, mixed, full = (rows(name, strength)[task] for strength in STRENGTHS)
    design = np.column_stack([np.ones(len(mixed)), absent, full])
    coefficients, residual, *_ = np.linalg.lstsq(design, mixed, rcond=None)
    assert residual[0] / len(mixed) < 1e-12
    assert coefficients[2] / coefficients[1] == pytest.approx(np.sqrt(0.3 / 0.7), rel=0.02)


@pytest.mark.parametrize(
    ("premise", "message"),
    [
        ({"kind": "selection"}, "premise.kind: should be one of group_preferences, field_selection, relatedness"),
        ({"kind": "field_selection", "context": "a", "strength": 1.2}, "premise.strength: should be from 0 to 1. R"),
        ({"kind": "field_selection", "context": "a", "strength": -0.1}, "premise.strength: should be from 0 to 1. R"),
        ({"kind": "field_selection", "context": "a", "fields": 0}, "premise.fields: should be at least 1. Received: 0"),
        ({"kind": "relatedness", "features": ["a"]}, "premise.features: should be two different features. R"),
        ({"kind": "relatedness", "features": ["a", "a"]}, "premise.features: should be two different features. R"),
        ({"kind": "relatedness", "features": ["a", "b"], "strength": 2.0}, "premise.strength: should be from 0 to 1"),
        ({"kind": "group_preferences", "groups": "a", "items": "a"}, "premise.items: should be another kind of entity"),
        (
            {"kind": "group_preferences", "groups": "a", "items": "b", "task_correlation": 1.1},
            "premise.task_correlation: should be from 0 to 1. Received: 1.1",
        ),
        (
            {"kind": "group_preferences", "groups": "a", "items": "b", "attribute_share": -1.0},
            "premise.attribute_share: should be from 0 to 1. Received: -1.0",
        ),
        (
            {"kind": "group_preferences", "groups": "a", "items": "b", "new_groups": 1.0},
            "premise.new_groups: should be from 0 to below 1. Received: 1.0",
        ),
        (
            {"kind": "group_preferences", "groups": "a", "items": "b", "rank": 0},
            "premise.rank: should be at least 1. Received: 0",
        ),
        (
            {"kind": "group_preferences", "groups": "a", "items": "b", "strength": 1.5},
            "premise.strength: should be from 0 to 1. Received: 1.5",
        ),
    ],
)
def test_rejects_options_out_of_range(premise, message):
    plain = {"rows": 1, "entities": {}, "features": {}, "tasks": {}, "premise": premise}
    with pytest.raises(ConfigError) as caught:
        build(SimulatorOptions, Document(plain))
    assert str(caught.value).startswith(message)
