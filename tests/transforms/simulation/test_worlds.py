"""Simulated worlds: long chains, counts, single kinds of effects, and columns that are not features."""

import dataclasses

import numpy as np
import pytest

from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature, SequenceFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.simulation.feature_options import EntityOptions, FeatureOptions
from transforms.simulation.options import EffectShares, SimulatorOptions, TaskOptions
from transforms.simulation.simulator import simulate

SPEC = DatasetSpec(
    name="small",
    features=(
        CategoricalFeature("user"),
        CategoricalFeature("item"),
        CategoricalFeature("place"),
        NumericalFeature("price"),
        NumericalFeature("wait"),
        MultiValuedFeature("tags", separator=","),
        SequenceFeature("seen", max_length=3),
    ),
    tasks=(
        Task("view", "view", output="p_view"),
        Task("click", "click", follows="view", output="p_click"),
        Task("buy", "buy", follows="click", output="p_buy", conditional_output="p_buy_clicked"),
        Task("visits", "visits", kind="count"),
        Task("share", "share"),
    ),
    scenario="place",
    group_key="session",
)
OPTIONS = SimulatorOptions(
    rows=60_000,
    seed=3,
    entities={"user": EntityOptions("user", 6, zipf=0.5), "item": EntityOptions("item", 5)},
    features={
        "place": FeatureOptions(values=("home, top", 'the "end"'), missing=0.2),
        "price": FeatureOptions("item", median=20, missing=0.4),
        "wait": FeatureOptions(median=2, sigma=0.3, missing=0.1),
        "tags": FeatureOptions("item", cardinality=4, length=2, missing=0.3),
        "seen": FeatureOptions(cardinality=2, length=2),
        "session": FeatureOptions(cardinality=50),
    },
    tasks={
        "view": TaskOptions(0.6),
        "click": TaskOptions(0.3, 1.5),
        "buy": TaskOptions(0.25),
        "visits": TaskOptions(3.0, 0.7),
        "share": TaskOptions(0.01),
    },
)


@pytest.fixture(scope="module")
def log(draw_into, tmp_path_factory):
    return draw_into(SPEC, OPTIONS, tmp_path_factory.mktemp("small"))


def logit(probability):
    return np.log(probability / (1 - probability))


def only(**shares):
    """The options with the given shares of effects; all other shares are 0."""
    return dataclasses.replace(OPTIONS, shares=EffectShares(**{**dict.fromkeys(KINDS, 0.0), **shares}))


KINDS = tuple(field.name for field in dataclasses.fields(EffectShares))


def test_chain_of_three_tasks(log):
    rows, truth = log.rows, log.truth
    assert not ((rows["click"] > rows["view"]) | (rows["buy"] > rows["click"])).any()
    np.testing.assert_allclose(truth["p_click"], truth["p_view"] * truth["click_given_view"], atol=2e-9)
    np.testing.assert_allclose(truth["p_buy"], truth["p_click"] * truth["p_buy_clicked"], atol=2e-9)
    assert rows["view"].mean() == pytest.approx(0.6, rel=0.03)
    assert rows["click"].sum() / rows["view"].sum() == pytest.approx(0.3, rel=0.03)
    assert rows["buy"].sum() / rows["click"].sum() == pytest.approx(0.25, rel=0.05)
    assert rows["share"].mean() == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(("label", "output"), [("view", "p_view"), ("click", "p_click"), ("buy", "p_buy")])
def test_labels_agree_with_their_probabilities(log, label, output):
    probabilities = log.truth[output]
    deviation = np.sqrt((probabilities * (1 - probabilities)).sum())
    assert abs((log.rows[label] - probabilities).sum()) < 4 * deviation


def test_counts_have_a_poisson_distribution(log):
    counts, mean = log.rows["visits"], log.truth["visits"]
    assert counts.mean() == pytest.approx(3.0, rel=0.03)
    assert abs((counts - mean).sum()) < 4 * np.sqrt(mean.sum())
    # (y - m)^2 - y has mean 0, and variance 2 m^2, for a Poisson y of mean m.
    assert abs(((counts - mean) ** 2 - counts).sum()) < 4 * np.sqrt((2 * mean**2).sum())
    zero = np.exp(-mean)
    assert abs((counts == 0).sum() - zero.sum()) < 4 * np.sqrt((zero * (1 - zero)).sum())


def test_probability_is_a_function_of_the_features(log):
    features = [feature.name for feature in SPEC.features]
    groups = log.rows[features].fillna("missing").groupby(features).ngroup()
    assert groups.nunique() < len(log.rows) / 3
    for output in ("p_view", "click_given_view", "p_buy", "visits"):
        assert log.truth.groupby(groups)[output].nunique().max() == 1
    assert log.rows.groupby(groups)["session"].nunique().max() > 1


def test_missing_values_change_the_probability(draw_log):
    log = draw_log(SPEC, dataclasses.replace(only(attributes=1.0), rows=5000))
    same = log.rows.fillna("missing").groupby([*log.rows[["user", "item", "tags", "seen"]]], dropna=False)
    for _, rows in same:
        by_place = log.truth.loc[rows.index].groupby(rows["place"])["p_view"].agg(["min", "max"])
        assert by_place["min"].nunique() == len(by_place)
        np.testing.assert_allclose(by_place["min"], by_place["max"])


def test_values_with_commas_and_quotes_are_escaped(log):
    assert set(log.rows["place"].dropna()) == {"home, top", 'the "end"'}
    assert log.rows["tags"].str.contains(",").any()


@pytest.mark.parametrize("kind", KINDS)
def test_strength_is_the_deviation_of_the_logit(draw_log, kind):
    log = draw_log(SPEC, dataclasses.replace(only(**{kind: 1.0}), rows=30_000))
    assert logit(log.truth["p_view"]).std() == pytest.approx(1.0, rel=0.03)
    assert logit(log.truth["click_given_view"]).std() == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "columns"), [("affinity", ("user", "item")), ("scenario", ("place", "user", "item", "tags", "seen"))]
)
def test_interactions_cannot_be_predicted_from_one_column(draw_log, kind, columns):
    log = draw_log(SPEC, dataclasses.replace(only(**{kind: 1.0}), rows=30_000))
    scores = logit(log.truth["p_view"])
    rows = log.rows.fillna("missing")
    for column in columns:
        means = scores.groupby(rows[column]).transform("mean")
        assert means.var() < 0.05 * scores.var()


def test_probability_is_a_function_of_ids_if_only_ids_have_effects(draw_log):
    log = draw_log(SPEC, dataclasses.replace(only(ids=1.0), rows=5000))
    assert log.truth.groupby([log.rows["user"], log.rows["item"]])["p_view"].nunique().max() == 1
    assert log.truth["p_view"].nunique() > 20


def test_effects_on_two_tasks_have_the_given_correlation(draw_log):
    found = {}
    for correlation in (0.0, 1.0):
        world = dataclasses.replace(only(ids=1.0), task_correlation=correlation, rows=20_000)
        many = {name: dataclasses.replace(entity, count=500) for name, entity in world.entities.items()}
        log = draw_log(SPEC, dataclasses.replace(world, entities=many))
        found[correlation] = np.corrcoef(logit(log.truth["p_view"]), logit(log.truth["click_given_view"]))[0, 1]
    assert abs(found[0.0]) < 0.25
    assert found[1.0] == pytest.approx(1.0, abs=1e-6)


def test_id_that_is_not_a_feature_has_no_effect(draw_log):
    features = tuple(feature for feature in SPEC.features if feature.name != "user")
    spec = dataclasses.replace(SPEC, features=features, group_key="user")
    drawn = {name: feature for name, feature in OPTIONS.features.items() if name != "session"}
    log = draw_log(spec, dataclasses.replace(OPTIONS, features=drawn, rows=20_000))
    names = [feature.name for feature in features]
    groups = log.rows[names].fillna("missing").groupby(names).ngroup()
    assert log.truth.groupby(groups)["p_view"].nunique().max() == 1
    assert log.rows.groupby(groups)["user"].nunique().max() > 1


@pytest.mark.parametrize("scenario", ["item", "tier"])
def test_scenario_may_be_an_entity_or_its_attribute(draw_log, scenario):
    spec = dataclasses.replace(SPEC, features=(*SPEC.features, CategoricalFeature("tier")), scenario=scenario)
    features = {**OPTIONS.features, "tier": FeatureOptions("user", cardinality=3, missing=0.1)}
    log = draw_log(spec, dataclasses.replace(only(scenario=1.0), features=features, rows=30_000))
    scores = logit(log.truth["p_view"])
    assert scores.std() == pytest.approx(1.0, rel=0.03)
    columns = [log.rows.fillna("missing")[name] for name in dict.fromkeys(["user", "item", "place", "seen", scenario])]
    assert log.truth.groupby(columns)["p_view"].nunique().max() == 1


def test_rejects_a_mean_above_the_largest(tmp_path):
    tasks = {**OPTIONS.tasks, "visits": TaskOptions(1000.0)}
    message = r"tasks.visits.rate: should be a rate that is possible with this strength. Received: 1000"
    with pytest.raises(FieldError, match=message):
        simulate(SPEC, dataclasses.replace(OPTIONS, tasks=tasks), tmp_path)


def test_world_without_entities(draw_log):
    spec = DatasetSpec("plain", (CategoricalFeature("hour"),), (Task("click", "click"),))
    options = SimulatorOptions(
        rows=20_000, entities={}, features={"hour": FeatureOptions(cardinality=3)}, tasks={"click": TaskOptions(0.1)}
    )
    log = draw_log(spec, options)
    assert log.truth["click"].nunique() == 3
    assert log.rows["click"].mean() == pytest.approx(0.1, rel=0.1)
