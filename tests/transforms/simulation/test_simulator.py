"""Simulated ad logs: reproducible files, labels that agree with their probabilities, and ingestion."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tfmtl.spec import TimeSplit
from transforms.batches.columns import raw_columns
from transforms.ingest.ingest_files import ingest
from transforms.readers.csv_reader import read_csv
from transforms.simulation import draws, simulator
from transforms.simulation.draws import Draws, draw_tokens, zipf_shares
from transforms.simulation.feature_options import FeatureOptions
from transforms.simulation.world import World
from transforms.validation.validate import validate


def z_score(labels, probabilities):
    """Difference of the number of positives and the sum of probabilities, in standard deviations."""
    return (labels.sum() - probabilities.sum()) / np.sqrt((probabilities * (1 - probabilities)).sum())


def test_columns_are_those_of_the_spec(demo_log):
    assert list(demo_log.rows) == list(raw_columns(demo_log.spec))
    assert list(demo_log.truth) == ["row", *(output.name for output in demo_log.spec.outputs)]
    assert demo_log.truth["row"].tolist() == list(range(1, demo_log.options.rows + 1))
    assert demo_log.files.totals == {label: demo_log.rows[label].sum() for label in demo_log.spec.labels}


def test_files_follow_from_the_seed(demo_spec, demo_options, draw_log):
    small = dataclasses.replace(demo_options, rows=3000)
    logs = [draw_log(demo_spec, options) for options in (small, small, dataclasses.replace(small, seed=8))]
    for name in ("log", "truth"):
        first, again, other = (getattr(log.files, name).read_bytes() for log in logs)
        assert first == again
        assert first != other


def test_files_do_not_depend_on_chunks(demo_spec, demo_options, draw_log, monkeypatch):
    options = dataclasses.replace(demo_options, rows=3000)
    whole = draw_log(demo_spec, options)
    shorter = draw_log(demo_spec, dataclasses.replace(options, rows=1001))
    monkeypatch.setattr(simulator, "CHUNK_ROWS", 701)
    chunked = draw_log(demo_spec, options)
    for name in ("log", "truth"):
        content = getattr(whole.files, name).read_bytes()
        assert getattr(chunked.files, name).read_bytes() == content
        assert content.startswith(getattr(shorter.files, name).read_bytes())


@pytest.mark.parametrize("width", [1, 3])
def test_draws_do_not_depend_on_other_members(width):
    whole = Draws(1, "rows", 0, 50).uniform("x", width)
    parts = [Draws(1, "rows", start, stop).uniform("x", width) for start, stop in ((0, 7), (7, 8), (8, 50))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert abs(Draws(1, "rows", 0, 10_000).uniform("x").mean() - 0.5) < 4 * np.sqrt(1 / 12 / 10_000)
    assert not np.array_equal(Draws(1, "rows", 0, 50).uniform("y", width), whole)
    assert not np.array_equal(Draws(1, "other", 0, 50).uniform("x", width), whole)


def test_normal_draws_have_mean_0_and_variance_1():
    draws = Draws(3, "rows", 0, 40_000).normal("x")
    assert abs(draws.mean()) < 4 / np.sqrt(40_000)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / 40_000)


def test_labels_agree_with_their_probabilities(demo_log):
    rows, truth = demo_log.rows, demo_log.truth
    clicked = rows["click"] == 1
    for labels, probabilities in (
        (rows["click"], truth["ctr"]),
        (rows["conversion"], truth["ctcvr"]),
        (rows["conversion"][clicked], truth["cvr"][clicked]),
    ):
        assert abs(z_score(labels, probabilities)) < 4
        for decile in np.array_split(np.argsort(probabilities.to_numpy()), 10):
            assert abs(z_score(labels.to_numpy()[decile], probabilities.to_numpy()[decile])) < 4.5


def test_labels_and_probabilities_follow_the_chain(demo_log):
    assert not ((demo_log.rows["conversion"] == 1) & (demo_log.rows["click"] == 0)).any()
    truth = demo_log.truth
    np.testing.assert_allclose(truth["ctcvr"], truth["ctr"] * truth["cvr"], atol=2e-9)


def test_labels_have_the_given_rates(demo_log):
    rows = demo_log.rows
    assert rows["click"].mean() == pytest.approx(0.15, rel=0.05)
    assert rows.loc[rows["click"] == 1, "conversion"].mean() == pytest.approx(0.2, rel=0.05)


def test_auc_of_the_true_probabilities_is_realistic(demo_log):
    rows, truth = demo_log.rows, demo_log.truth
    assert 0.74 < roc_auc_score(rows["click"], truth["ctr"]) < 0.78
    assert 0.78 < roc_auc_score(rows["conversion"], truth["ctcvr"]) < 0.84


def test_features_have_the_given_distributions(demo_log):
    rows, features = demo_log.rows, demo_log.options.features
    assert set(rows["scenario"]) == set(features["scenario"].values)
    shares = rows["scenario"].value_counts(normalize=True)
    zipf = np.array([1, 2**-1.2, 3**-1.2])
    np.testing.assert_allclose(shares[list(features["scenario"].values)], zipf / zipf.sum(), atol=0.01)
    assert set(rows["hour"]) == set(range(24))
    users = rows.drop_duplicates("user_id")
    assert users["age"].isna().mean() == pytest.approx(features["age"].missing, abs=0.03)
    assert rows.groupby("user_id")["age"].nunique(dropna=False).max() == 1
    assert rows.groupby("item_id")["price"].nunique(dropna=False).max() == 1
    lengths = users["interests"].dropna().str.split("|").str.len()
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert (lengths == users["interest_weights"].dropna().str.split("|").str.len()).all()
    assert users["interests"].dropna().map(lambda text: len(set(text.split("|")))).equals(lengths)


def test_ids_have_a_long_tail(demo_log):
    counts = demo_log.rows["item_id"].value_counts()
    items = demo_log.options.entities["item"]
    expected = np.arange(1, items.count + 1) ** -items.zipf
    for top in (10, 100, 1000):
        share = expected[:top].sum() / expected.sum()
        assert counts.iloc[:top].sum() / counts.sum() == pytest.approx(share, abs=0.02)
    frequency = demo_log.rows["item_id"].map(counts)
    assert frequency.corr(demo_log.rows["item_id"]) < 0.2
    assert np.log(frequency).corr(np.log(demo_log.rows["item_popularity"])) > 0.9


def test_all_rows_of_a_simulated_log_are_valid(demo_log):
    rows = rejected = 0
    for batch in read_csv(str(demo_log.files.log), raw_columns(demo_log.spec), block_bytes=1 << 20):
        validated = validate(batch, demo_log.spec)
        rows += validated.typed.num_rows
        rejected += len(validated.rejects)
    assert (rows, rejected) == (demo_log.options.rows, 0)


def test_progress_counts_rows(demo_spec, demo_options, tmp_path, monkeypatch):
    monkeypatch.setattr(simulator, "CHUNK_ROWS", 400)
    seen = []
    simulator.simulate(demo_spec, dataclasses.replace(demo_options, rows=1000), tmp_path, seen.append)
    assert seen == [400, 800, 1000]


@pytest.mark.parametrize(
    ("bounds", "first", "last"),
    [((8, 9), 0, 9), ((8.0, 9.0), 0, 9.99), (("2026-11-20", "2026-11-22"), "2026-11-04", "2026-11-23")],
)
def test_time_splits_the_log_in_order(demo_spec, demo_options, draw_log, bounds, first, last):
    spec = dataclasses.replace(demo_spec, split=TimeSplit("day", *bounds))
    log = draw_log(spec, dataclasses.replace(demo_options, rows=1000))
    days = log.rows["day"]
    assert days.is_monotonic_increasing
    assert (days.iloc[0], days.iloc[-1]) == (first, last)
    (batch,) = ingest([str(log.files.log)], spec)
    assert batch.report.total.accepted == {"train": 800, "eval": 100, "test": 100}


def test_sample_that_sets_the_rates_is_not_part_of_the_log(demo_spec, demo_options):
    world = World(demo_spec, demo_options)
    users = world.rows(0, 1000).members["user"]
    sample = Draws(demo_options.seed, "sample", 0, 1000)
    assert not np.array_equal(world._draw_rows(sample)[0]["user"], users)


def test_lists_of_many_tokens_are_drawn_like_lists_of_few(monkeypatch):
    """Both ways draw without replacement: the first token has the shares, and all of a list are different."""
    options = FeatureOptions(cardinality=40, skew=1.2, length=4)
    drawn = {}
    for many in (5_000, 10):
        monkeypatch.setattr(draws, "_MANY", many)
        drawn[many] = draw_tokens(Draws(3, "user", 0, 20_000), "tags", options)
    shares = zipf_shares(40, 1.2)
    pairs = {}
    for many, tokens in drawn.items():
        full = tokens.codes[tokens.count == 4]
        assert all(len(set(row)) == 4 for row in full.tolist())
        first = np.bincount(tokens.codes[:, 0], minlength=40)[:40] / 20_000
        np.testing.assert_allclose(first, shares, atol=0.012)
        pairs[many] = np.array([(full == code).any(1).mean() for code in range(40)])
    np.testing.assert_allclose(pairs[10], pairs[5_000], atol=0.03)


def test_memory_of_lists_does_not_grow_with_the_number_of_tokens():
    tokens = draw_tokens(Draws(3, "user", 0, 50_000), "tags", FeatureOptions(cardinality=1_000_000, length=3))
    assert tokens.codes.shape == (50_000, 3)
    assert len(np.unique(tokens.codes)) > 80_000
