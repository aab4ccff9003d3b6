"""Simulated panels: reproducible files, consistent days, counts that agree with their rates, and ingestion."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest

from tfmtl.config import FieldError, build, read_yaml
from tfmtl.spec import DatasetSpec, RandomSplit, Task, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.ingest.ingest_files import ingest
from transforms.panels import simulator as panel_simulator
from transforms.panels.simulator import simulate_panels
from transforms.panels.simulator_options import PanelOptions, PanelScenario, PanelSeries, check_panel_options
from transforms.panels.simulator_world import PanelWorld
from transforms.simulation.feature_options import FeatureOptions

M2M = read_yaml(pathlib.Path(__file__).parents[3] / "examples" / "m2m.yaml")
SPEC: DatasetSpec = build(DatasetSpec, M2M, ("spec",))
OPTIONS: PanelOptions = build(PanelOptions, M2M, ("simulator",))
SMALL = dataclasses.replace(OPTIONS, rows=3000)
TASKS = {"clicks_next_week": ("clicks_7d", "clicks"), "pay_next_week": ("pay_7d", "pay")}


def read(files):
    return pd.read_csv(files.log, dtype=str, keep_default_na=False), pd.read_csv(files.truth)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of a simulated panel, its rows as strings, and the rates."""
    files = simulate_panels(SPEC, dataclasses.replace(OPTIONS, rows=20_000), tmp_path_factory.mktemp("panels"))
    return files, *read(files)


def parse_days(column):
    """Numbers of a column of sequences, right-aligned, NaN if a day is absent; `(rows, 14)`."""
    days = np.full((len(column), 14), np.nan)
    for i, text in enumerate(column):
        numbers = [float(part) if part else np.nan for part in text.split("|")]
        days[i, 14 - len(numbers) :] = numbers
    return days


def test_columns_and_totals(written):
    files, rows, rates = written
    assert list(rows) == list(raw_columns(SPEC))
    assert list(rates) == ["row", *TASKS]
    assert rates["row"].tolist() == list(range(1, 20_001))
    assert files.rows == len(rows) == 20_000
    assert files.totals == {label: rows[label].astype(int).sum() for label, _ in TASKS.values()}


def test_files_follow_from_the_seed_and_more_rows_keep_the_first(tmp_path):
    options = (SMALL, SMALL, dataclasses.replace(SMALL, seed=8), dataclasses.replace(SMALL, rows=4000))
    logs = [simulate_panels(SPEC, one, tmp_path / str(i)) for i, one in enumerate(options)]
    for name in ("log", "truth"):
        first, again, other, longer = (getattr(log, name).read_bytes() for log in logs)
        assert first == again
        assert first != other
        assert longer.startswith(first)


def test_shares_of_the_scenarios(written):
    """An entity is in a scenario with the probability of its reach, and in one of the largest if it is in no other."""
    _, rows, _ = written
    entities = rows["advertiser"].nunique()
    for scenario, reach in zip(OPTIONS.scenarios, OPTIONS.reach, strict=True):
        members = rows.loc[rows["scenario"] == scenario.attributes["scenario"], "advertiser"].nunique()
        nobody = np.prod(1 - np.array(OPTIONS.reach))
        deviation = np.sqrt(entities * reach * (1 - reach))
        assert -4 * deviation < members - entities * reach < 4 * deviation + entities * nobody
    assert rows.groupby("scenario")[["format", "audience", "price_level"]].nunique().to_numpy().max() == 1


def test_profiles_belong_to_entities(written):
    _, rows, _ = written
    profile = ["business_scale", "category", "star_level", "products"]
    assert rows.groupby("advertiser")[profile].nunique().to_numpy().max() == 1
    entities = rows.drop_duplicates("advertiser")
    assert (entities["star_level"] == "").mean() == pytest.approx(0.05, abs=0.02)
    assert rows.groupby(["advertiser", "scenario"])["date"].nunique().max() == OPTIONS.periods
    assert not rows.duplicated(["advertiser", "scenario", "date"]).any()


def test_dates_are_a_period_apart(written):
    _, rows, _ = written
    dates = sorted(set(rows["date"]))
    assert dates == list(OPTIONS.dates)
    assert set(np.diff(np.array(dates, "datetime64[D]")).astype(int)) == {7}


def test_days_agree_from_row_to_row(written):
    """The days of a period are the last days of the next row; their sum, if all were recorded, is the row's label."""
    _, rows, _ = written
    for label, series in TASKS.values():
        days = parse_days(rows[series])
        keys = rows[["advertiser", "scenario"]]
        follows = (keys.shift(-1) == keys).all(axis=1).to_numpy()[:-1]
        gap = np.diff(np.array(rows["date"], "datetime64[D]")).astype(int)
        pairs = np.flatnonzero(follows & (gap == 7))
        following = days[pairs + 1]
        both = ~np.isnan(days[pairs, 7:]) & ~np.isnan(following[:, :7])
        np.testing.assert_array_equal(days[pairs, 7:][both], following[:, :7][both])
        whole = ~np.isnan(following[:, 7:]).any(axis=1)
        assert whole.sum() > 5000
        labels = rows[label].astype(int).to_numpy()[pairs[whole]]
        np.testing.assert_array_equal(following[whole, 7:].sum(axis=1), labels)


def test_counts_are_poisson_around_their_rates(written):
    _, rows, rates = written
    for task, (label, _) in TASKS.items():
        counts, means = rows[label].astype(float).to_numpy(), rates[task].to_numpy()
        assert abs(counts.sum() - means.sum()) / np.sqrt(means.sum()) < 4
        z = (counts - means) / np.sqrt(means)
        assert z.std() == pytest.approx(1, abs=0.05)
        for decile in np.array_split(np.argsort(means), 10):
            assert abs(counts[decile].sum() - means[decile].sum()) / np.sqrt(means[decile].sum()) < 4.5


def test_rates_have_the_given_spread_and_differ_by_scenario(written):
    _, rows, rates = written
    for task, (_, series) in TASKS.items():
        logs = np.log(rates[task])
        assert 0.7 < logs.std() < 1.6
        assert abs(logs.median() - np.log(7 * OPTIONS.series[series].median)) < 0.7
        assert np.ptp(logs.groupby(rows["scenario"]).mean()) > 0.1


def test_response_to_the_previous_period_differs_by_scenario(written):
    _, rows, rates = written
    bids = parse_days(rows["bid_changes"])
    clicks = parse_days(rows["clicks"])
    kept = ~np.isnan(bids).any(axis=1)
    effort = np.log1p(bids[:, 7:].mean(axis=1)) - np.log1p(bids[:, :7].mean(axis=1))
    change = np.log(rates["clicks_next_week"]) - np.log1p(np.nansum(clicks[:, 7:], axis=1))
    slopes = [
        np.polyfit(effort[part], change[part], 1)[0]
        for part in (kept & (rows["scenario"] == name) for name in ("search", "feed", "display"))
    ]
    assert np.ptp(slopes) > 0.2


def test_newcomers_have_fewer_days_and_missing_days_are_empty(written):
    _, rows, _ = written
    length = rows["clicks"].str.count(r"\|") + 1
    assert length.max() == 14
    short = rows[length < 14]
    assert 0.01 < len(short) / len(rows) < 0.2
    first = rows.groupby("advertiser")["date"].min()
    assert (first > OPTIONS.dates[0]).mean() > 0.15
    assert short.groupby("advertiser")["date"].count().max() <= 2 * len(OPTIONS.scenarios)
    for other in ("logins", "bid_changes", "impressions"):
        np.testing.assert_array_equal(np.isnan(parse_days(rows[other])), np.isnan(parse_days(rows["clicks"])))
    full = parse_days(rows.loc[length == 14, "clicks"])
    assert np.isnan(full).mean() == pytest.approx(OPTIONS.missing_days, abs=0.003)


def test_simulated_panels_are_valid_and_split_by_time(written):
    files, rows, _ = written
    accepted = dict.fromkeys(("train", "eval", "test"), 0)
    for batch in ingest([str(files.log)], SPEC):
        assert batch.rejects == ()
        for split, examples in batch.examples.items():
            accepted[split] += len(examples)
    dates = rows["date"].to_numpy()
    assert accepted["train"] == (dates < "2026-05-04").sum()
    assert accepted["test"] == (dates >= "2026-05-18").sum() > 1000


def test_chunks_are_independent_and_progress_counts_rows(tmp_path):
    world = PanelWorld(SPEC, OPTIONS)
    first, again = world.chunk(3), PanelWorld(SPEC, OPTIONS).chunk(3)
    for name in OPTIONS.series:
        np.testing.assert_array_equal(first.counts[name], again.counts[name])
    assert first.first == 3 * 256
    seen = []
    simulate_panels(SPEC, SMALL, tmp_path, seen.append)
    assert seen[-1] == 3000
    assert seen == sorted(set(seen))
    assert panel_simulator.PANELS == "panels.csv"


def test_scenarios_with_equal_attributes_have_equal_factors():
    twin = dataclasses.replace(OPTIONS, scenarios=(*OPTIONS.scenarios, OPTIONS.scenarios[2]))
    factors = PanelWorld(SPEC, twin).effects.factors
    np.testing.assert_array_equal(factors[2], factors[5])
    assert np.abs(factors[0] - factors[1]).max() > 0.1


def test_a_random_split_and_no_group_key(tmp_path):
    spec = dataclasses.replace(SPEC, group_key=None, split=RandomSplit(key=("category",)))
    files = simulate_panels(spec, dataclasses.replace(OPTIONS, rows=50), tmp_path)
    assert list(pd.read_csv(files.log)) == list(raw_columns(spec))


def scenarios(**changes):
    first = OPTIONS.scenarios[0]
    return (dataclasses.replace(first, attributes={**first.attributes, **changes}), *OPTIONS.scenarios[1:])


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"series": {**OPTIONS.series, "views": PanelSeries(1.0)}}, "series.views"),
        ({"series": {k: v for k, v in OPTIONS.series.items() if k != "logins"}}, "profile.logins"),
        ({"scenarios": scenarios(audience="many")}, "scenarios[0].attributes.audience"),
        ({"scenarios": scenarios(format=3.0)}, "scenarios[0].attributes.format"),
        ({"profile": {**OPTIONS.profile, "clicks": FeatureOptions(cardinality=3)}}, "profile.clicks"),
        ({"profile": {**OPTIONS.profile, "products": FeatureOptions(cardinality=3)}}, "profile.products.median"),
        ({"profile": {**OPTIONS.profile, "category": FeatureOptions()}}, "profile.category.cardinality"),
        ({"profile": {**OPTIONS.profile, "format": FeatureOptions(cardinality=3)}}, "series.format"),
        ({"tasks": {"clicks_next_week": "clicks"}}, "tasks.pay_next_week"),
        ({"tasks": {**OPTIONS.tasks, "other": "pay"}}, "tasks.other"),
        ({"periods": 17}, "periods"),
    ],
)
def test_rejects_options_that_do_not_fit_the_spec(changes, path):
    with pytest.raises(FieldError) as caught:
        check_panel_options(SPEC, dataclasses.replace(OPTIONS, **changes))
    assert str(caught.value).startswith(f"{path}: should be ")


def test_rejects_specs_that_are_not_panels():
    binary = dataclasses.replace(SPEC, tasks=(*SPEC.tasks, Task("active", "is_active")))
    with pytest.raises(FieldError, match=r"tasks.active: should be a task of kind count\. Received: 'binary'"):
        check_panel_options(binary, OPTIONS)
    number = dataclasses.replace(SPEC, split=TimeSplit("date", 1, 2))
    message = r"periods: should be such that the dates 2026-01-05 \.\. 2026-05-25 include eval_from"
    with pytest.raises(FieldError, match=message):
        check_panel_options(number, OPTIONS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows: should be at least 1. Received: 0"),
        ({"scenarios": ()}, "scenarios: should be at least one. Received: ()"),
        ({"seed": -1}, "seed: should be 0 or more. Received: -1"),
        ({"newcomers": 1.0}, "newcomers: should be from 0 to below 1. Received: 1.0"),
        ({"first_day": "Monday"}, "first_day: should be a date such as 2026-01-05. Received: 'Monday'"),
        ({"scenarios_per_entity": 2.0}, "scenarios_per_entity: should be above 0, at most 1.82 with these shares. R"),
        ({"tasks": {"clicks_next_week": "views"}}, "tasks.clicks_next_week: should be a series: logins, bid_changes,"),
        (
            {"profile": {"category": FeatureOptions(entity="user", cardinality=3)}},
            "profile.category.entity: should be absent. Received: 'user'",
        ),
    ],
)
def test_rejects_options_out_of_range(changes, message):
    with pytest.raises(FieldError) as caught:
        dataclasses.replace(OPTIONS, **changes)
    assert str(caught.value).startswith(message)


def test_rejects_scenarios_and_series_out_of_range():
    with pytest.raises(FieldError, match=r"share: should be above 0\. Received: 0"):
        PanelScenario(0, {"scenario": "a"})
    with pytest.raises(FieldError, match=r"attributes: should be at least one\. Received: \{\}"):
        PanelScenario(1, {})
    with pytest.raises(FieldError, match=r"median: should be above 0\. Received: 0"):
        PanelSeries(0)
    with pytest.raises(FieldError, match=r"response: should be 0 or more\. Received: -1"):
        PanelSeries(1, response=-1)
    other = dataclasses.replace(OPTIONS.scenarios[1], attributes={"scenario": "feed"})
    with pytest.raises(FieldError, match=r"scenarios\[1\]\.attributes: should be those of the first scenario, in"):
        dataclasses.replace(OPTIONS, scenarios=(OPTIONS.scenarios[0], other))
