"""Health and bounds: sentences, plain data, and lines for people."""

import json
import math

import pytest

from tfmtl.health import MEASURES, MECHANISMS, Bound, Health, dead_sentences, health_lines
from tfmtl.health.summary import worst

UNIFORM = Health("attention", "attention, layer 1", "relative_entropy", 0.9984, Bound(high=0.9))
SPREAD = Health("temperature", "temperature of ctr and cvr", "temperature_spread", 0.2, Bound(low=0.02))
NAN = Health("gate", "gate of click", "expert_use", math.nan, Bound(low=0.05))
DESCRIBED = Health("selector", "selector, layer 1", "saturation", 0.25)


def test_bounds():
    assert [Bound(low=0.1).contains(value) for value in (0.0999, 0.1, 5, math.nan, math.inf)] == [
        *(False, True, True),
        *(False, False),
    ]
    assert [Bound(high=0.9).contains(value) for value in (0.0, 0.9)] == [True, False]
    assert Bound(0.1, 0.9).contains(0.5)
    assert str(Bound(0.1, 10)) == "at least 0.1 and below 10"
    assert str(Bound()) == ""
    assert Bound().contains(3.0)
    assert not Bound().contains(math.nan)


@pytest.mark.parametrize(
    ("health", "alive", "sentence"),
    [
        (UNIFORM, False, "The attention, layer 1 is uniform: entropy 0.998 of the maximum (alive: below 0.9)."),
        (
            SPREAD,
            True,
            "The temperature of ctr and cvr is alive: 5th to 95th percentile 0.200 of the allowed range "
            "(alive: at least 0.02).",
        ),
        (
            NAN,
            False,
            "The gate of click computes values that are not finite: least used expert nan of an equal share "
            "(alive: at least 0.05).",
        ),
        (DESCRIBED, True, "The selector, layer 1 is described: 0.250 of the values below .05 or above .95."),
    ],
)
def test_sentences(health, alive, sentence):
    assert health.alive is alive
    assert health.sentence == sentence


@pytest.mark.parametrize("health", [UNIFORM, SPREAD, DESCRIBED])
def test_plain_data_are_strict_json_and_read_again(health):
    plain = json.loads(json.dumps(health.to_plain(), allow_nan=False))
    assert Health.from_plain(plain) == health
    assert plain["alive"] is health.alive
    assert plain["sentence"] == health.sentence


def test_a_value_that_is_not_finite_is_null_in_plain_data():
    plain = NAN.to_plain()
    assert plain["value"] is None
    assert math.isnan(Health.from_plain(plain).value)
    assert not Health.from_plain(plain).alive


def test_lines_name_every_mechanism_once_and_then_the_dead_ones():
    variation = Health("attention", "attention, layer 1", "weight_variation", 0.5, Bound(low=0.05))
    assert health_lines([UNIFORM, variation, SPREAD]) == [
        "attention, layer 1: entropy 0.998 of the maximum, variation between rows 0.500 of the uniform weight",
        "temperature of ctr and cvr: 5th to 95th percentile 0.200 of the allowed range",
        "DEAD: The attention, layer 1 is uniform: entropy 0.998 of the maximum (alive: below 0.9).",
    ]
    assert health_lines([]) == dead_sentences([variation, SPREAD]) == []


def test_worst_value():
    assert worst([0.3, 0.1, 0.2], low=0.05) == 0.1
    assert worst([0.3, 0.1, 0.2], low=None) == 0.3
    assert math.isnan(worst([0.3, math.nan], low=None))


def test_every_measure_of_a_mechanism_is_described():
    for mechanism in MECHANISMS.values():
        assert mechanism.reason
        for measure, bound in mechanism.bounds.items():
            assert "{}" in MEASURES[measure].template
            assert bound.low is None or bound.high is None


def test_names_of_mechanisms():
    assert MECHANISMS["gate"].name("next_clicks") == "gate of next_clicks"
    assert MECHANISMS["gate"].name("shared-part", "0") == "gate of the shared part, level 0"
    assert MECHANISMS["gate"].name("all-tasks") == "gate of all tasks"
    assert MECHANISMS["attention"].name("layer_2") == "attention, layer 2"
    assert MECHANISMS["pattern"].name("buy", "layer_1") == "pattern selector of buy, layer 1"
    assert MECHANISMS["cross_stitch"].name("unit_0") == "cross-stitch unit 0"
