"""Health of meta units: generated weights by the outputs of a linear unit, and their variation between scenarios."""

import numpy as np
import pytest

from tests.tfmtl import panel_cases
from tfmtl.health import model_health, relative_variation
from tfmtl.health.generated_weights import generated
from tfmtl.layers import MetaUnit

OPTIONS = [{}, {"rank": 2}]


@pytest.mark.parametrize("options", OPTIONS, ids=["full", "factorized"])
def test_generated_weights_are_those_that_the_unit_applies(options):
    """A linear unit maps the unit vectors to the rows of W plus b, and zeros to b."""
    d, rng = 4, np.random.default_rng(0)
    unit = MetaUnit(num_layers=1, activation="linear", **options)
    knowledge = rng.normal(size=(5, 3)).astype("float32")
    unit.build((None, d), knowledge.shape)
    unit.set_weights([rng.normal(size=weight.shape) for weight in unit.weights])
    vectors = np.broadcast_to(np.concatenate([np.eye(d), np.zeros((1, d))]), (5, d + 1, d)).astype("float32")
    outputs = np.asarray(unit(vectors, knowledge))
    expected = np.concatenate([(outputs[:, :d] - outputs[:, d:]).reshape(5, -1), outputs[:, d]], axis=1)
    np.testing.assert_allclose(generated(unit.layer_weights[0], knowledge), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"meta_rank": 2}], ids=["full", "factorized"])
def test_health_of_the_units_of_m2m(options):
    model = panel_cases.model_of(**options)
    features = panel_cases.features(20)
    found = {one.mechanism: one.value for one in model_health(model, [(features, panel_cases.labels(20))])}
    knowledge = np.asarray(model.inspect(features)["scenario_knowledge"])
    weights = model.attention["next_pay"].unit.layer_weights
    expected = np.mean([relative_variation(generated(layer, knowledge)) for layer in weights])
    assert found["meta unit in the attention of next_pay"] == pytest.approx(expected, rel=1e-5)
    assert found["meta unit in the tower of next_clicks"] > 0.1


def test_one_scenario_generates_the_same_weights():
    model = panel_cases.model_of()
    features = {name: np.repeat(values[3:4], 20, axis=0) for name, values in panel_cases.features(20).items()}
    units = [one for one in model_health(model, [(features, panel_cases.labels(20))]) if one.kind == "meta_unit"]
    assert len(units) == 4
    assert [one.value for one in units] == [0.0] * 4
    assert "generates the same weights for all rows" in units[0].sentence
