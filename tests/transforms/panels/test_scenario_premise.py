"""The premise of scenarios: parameters as a function of their attributes, equal means and deviations, an unseen one."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest

from tfmtl.config import ConfigError, Document, FieldError, build, read_yaml
from tfmtl.spec import DatasetSpec, RandomSplit
from transforms.ingest.ingest_files import ingest
from transforms.panels.simulator import simulate_panels
from transforms.panels.simulator_options import PanelOptions, PanelScenario, PanelSeries, check_panel_options
from transforms.panels.simulator_world import PanelWorld

WORLD = read_yaml(pathlib.Path(__file__).parents[3] / "examples" / "worlds" / "m2m.yaml")
SPEC: DatasetSpec = build(DatasetSpec, WORLD, ("spec",))
OPTIONS: PanelOptions = build(PanelOptions, WORLD, ("simulator",))
SHARES = np.array([scenario.share for scenario in OPTIONS.scenarios]) / sum(one.share for one in OPTIONS.scenarios)
EXPOSED = {
    # The logarithm of the rate of bid_changes is the effort, that of clicks is the response to it.
    "bid_changes": PanelSeries(1.0, sigma=0, effort=1),
    "clicks": PanelSeries(1.0, sigma=0, response=1),
    "pay": PanelSeries(1.0, sigma=1.0),
}
NO_NOISE = {"season": 0.0, "trend": 0.0, "newcomers": 0.0, "series": EXPOSED}


def with_strength(strength, options=OPTIONS, **changes):
    premise = dataclasses.replace(options.premise, strength=strength)
    return dataclasses.replace(options, premise=premise, **changes)


def with_twin(options):
    """The options with another scenario that has the attributes of the fourth one and a name of its own."""
    twin = PanelScenario(10, {**options.scenarios[3].attributes, "scenario": "twin"})
    return dataclasses.replace(options, scenarios=(*options.scenarios, twin))


def responses(options):
    """Slope of the logarithm of clicks in the effort of the period before, by scenario."""
    rates = PanelWorld(SPEC, options).chunk(0).rates
    effort, clicks = (np.log(rates[name][:, :, :: options.horizon]) for name in ("bid_changes", "clicks"))
    return np.array(
        [np.polyfit(effort[:, j, :-1].ravel(), clicks[:, j, 1:].ravel(), 1)[0] for j in range(effort.shape[1])]
    )


def test_response_is_the_same_at_strength_0_and_differs_by_scenario_at_1():
    absent, full = (responses(with_strength(strength, **NO_NOISE)) for strength in (0.0, 1.0))
    np.testing.assert_allclose(absent, 1, atol=1e-6)
    assert np.ptp(full) > 1.5
    assert abs(SHARES @ full) < 0.1
    assert np.sqrt(SHARES @ full**2) == pytest.approx(1, abs=0.05)
    between = responses(with_strength(0.5, **NO_NOISE))
    assert np.corrcoef(between, full)[0, 1] == pytest.approx(1, abs=1e-6)
    assert np.sqrt(0.5) - 0.1 < SHARES @ between < np.sqrt(0.5) + 0.1


def test_scenarios_with_equal_attributes_have_equal_parameters():
    options = with_twin(with_strength(1.0, **NO_NOISE))
    slopes = responses(options)
    assert slopes[3] == pytest.approx(slopes[-1], abs=1e-6)
    effects = PanelWorld(SPEC, dataclasses.replace(options, season=0.3)).effects
    size, profile, own = np.zeros((2, 1)), np.ones((2, 3)), np.zeros((2, len(options.scenarios)))
    level = effects.level("pay", size, profile, own)
    np.testing.assert_allclose(level[:, 3], level[:, -1])
    assert np.ptp(level[0]) > 1
    season = effects.season("pay", 7)[0]
    np.testing.assert_allclose(season[3], season[-1])
    assert np.ptp(season, axis=0).max() > 0.1


def test_level_and_weekly_cycle_are_the_same_at_strength_0_and_differ_at_1():
    """The mean over entities of the logarithm of the rate, by scenario and day of the week."""
    for strength, smallest, largest in ((0.0, 0.0, 0.05), (1.0, 0.3, 9.0)):
        options = with_strength(strength, trend=0.0, newcomers=0.0)
        options = dataclasses.replace(options, series={**OPTIONS.series, "pay": PanelSeries(4.0, sigma=1.0)})
        world = PanelWorld(SPEC, options)
        logs = np.log(np.concatenate([world.chunk(i).rates["pay"] for i in range(4)]))
        weekly = logs[:, :, : 7 * 20].reshape(*logs.shape[:2], 20, 7).mean((0, 2))
        cycle = weekly - weekly.mean(1, keepdims=True)
        assert smallest <= np.ptp(cycle, axis=0).max() <= largest
        assert smallest <= np.ptp(weekly.mean(1)) <= (0.2 if strength == 0 else 9.0)
        np.testing.assert_allclose(np.abs(np.fft.rfft(cycle, axis=1)[:, 1]) / 3.5, OPTIONS.season, rtol=0.2)


def test_means_and_deviations_do_not_depend_on_the_strength():
    found = []
    for strength in (0.0, 0.4, 1.0):
        world = PanelWorld(SPEC, with_strength(strength))
        chunks = [world.chunk(i).rates for i in range(4)]
        for name in OPTIONS.series:
            rates = np.concatenate([one[name][:, :, ::3] for one in chunks])  # Every third day, so each of the week.
            logs = np.log(rates)
            mean = SHARES @ logs.mean((0, 2))
            deviation = np.sqrt(SHARES @ ((logs - mean) ** 2).mean((0, 2)))
            found.append((SHARES @ rates.mean((0, 2)), deviation))
    means, deviations = np.array(found).reshape(3, -1, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(means, means[:1].repeat(3, 0), rtol=0.1)
    np.testing.assert_allclose(deviations, deviations[:1].repeat(3, 0), rtol=0.03)


def test_unseen_scenario_has_rows_in_the_test_split_only(tmp_path):
    for strength in (0.0, 1.0):
        files = simulate_panels(SPEC, with_strength(strength, rows=12_000), tmp_path / str(strength))
        log = pd.read_csv(files.log)
        assert set(log.loc[log["scenario"] == "banner", "date"]) == set(OPTIONS.dates[19:])
        assert set(log.loc[log["scenario"] == "search", "date"]) == set(OPTIONS.dates)
        assert OPTIONS.dates[19] == SPEC.split.test_from
        assert all(not batch.rejects for batch in ingest([str(files.log)], SPEC))
    everything = dataclasses.replace(OPTIONS, rows=2000, premise=dataclasses.replace(OPTIONS.premise, unseen=None))
    log = pd.read_csv(simulate_panels(SPEC, everything, tmp_path / "all").log)
    assert OPTIONS.dates[0] in set(log.loc[log["scenario"] == "banner", "date"])


def test_sizes_of_the_scenarios_span_a_factor_of_50():
    assert max(SHARES) / min(SHARES) >= 50


def test_files_follow_from_the_seed_and_more_rows_keep_the_first(tmp_path):
    options = [dataclasses.replace(OPTIONS, rows=3000, seed=seed) for seed in (7, 7, 8)]
    options.append(dataclasses.replace(OPTIONS, rows=4000))
    logs = [simulate_panels(SPEC, one, tmp_path / str(i)) for i, one in enumerate(options)]
    for name in ("log", "truth"):
        first, again, other, longer = (getattr(log, name).read_bytes() for log in logs)
        assert first == again
        assert first != other
        assert longer.startswith(first)


def test_strength_does_not_change_profiles_and_activity():
    first, other = (PanelWorld(SPEC, with_strength(strength)).chunk(1) for strength in (0.0, 1.0))
    np.testing.assert_array_equal(first.active, other.active)
    np.testing.assert_array_equal(first.start, other.start)
    for name, values in first.profile.items():
        np.testing.assert_array_equal(values.codes, other.profile[name].codes)


@pytest.mark.parametrize("strength", [-0.1, 1.1])
def test_rejects_strengths_out_of_range(strength):
    plain = {**WORLD.data["simulator"], "premise": {"kind": "scenario_parameters", "strength": strength}}
    with pytest.raises(ConfigError, match=rf"premise.strength: should be from 0 to 1. Received: {strength}"):
        build(PanelOptions, Document(plain))


def test_rejects_an_unseen_scenario_that_does_not_fit():
    unknown = dataclasses.replace(OPTIONS, premise=dataclasses.replace(OPTIONS.premise, unseen="radio"))
    message = r"premise.unseen: should be a scenario of which there are others: search, .* Received: 'radio'"
    with pytest.raises(FieldError, match=message):
        check_panel_options(SPEC, unknown)
    message = r"premise.unseen: should be null if the split is not by time. Received: 'banner'"
    with pytest.raises(FieldError, match=message):
        check_panel_options(dataclasses.replace(SPEC, split=RandomSplit()), OPTIONS)
    one = dataclasses.replace(OPTIONS, scenarios=OPTIONS.scenarios[-1:], scenarios_per_entity=1.0)
    with pytest.raises(FieldError, match=r"premise.unseen: should be a scenario of which there are others: banner"):
        check_panel_options(SPEC, one)


def test_rejects_scenarios_that_have_only_a_name():
    names = tuple(PanelScenario(one.share, {"scenario": one.attributes["scenario"]}) for one in OPTIONS.scenarios)
    features = tuple(feature for feature in SPEC.features if feature.name not in ("format", "audience", "price_level"))
    spec = dataclasses.replace(SPEC, features=features, groups={})
    message = r"scenarios\[0\].attributes: should be at least one besides the scenario's name"
    with pytest.raises(FieldError, match=message):
        check_panel_options(spec, dataclasses.replace(OPTIONS, scenarios=names))
