"""Simulated raw files: format, crosses, and true probabilities of the labels."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from tests.transforms.ali_ccp.plain import FIELDS, parse_line, prepare, read_lines
from tfmtl.config import FieldError
from transforms.ali_ccp.simulator import simulate_ali_ccp
from transforms.ali_ccp.simulator_options import AliCcpOptions

OPTIONS = AliCcpOptions(
    6000, 2000, users=150, items=200, categories=20, shops=40, brands=30, nodes=25, history=6, click_rate=0.3, seed=3
)
CROSSES = {"508": ("109_14", "206"), "509": ("110_14", "207"), "702": ("127_14", "216"), "853": ("150_14", "210")}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return simulate_ali_ccp(OPTIONS, tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="module")
def rows(made):
    """Rows of the preparation of all fields, without an eval split."""
    return prepare(made.folder, "all", share=0).rows


def test_every_line_is_valid(made, rows):
    assert prepare(made.folder, "all").rejects == []
    assert {split: len(rows[split]) for split in rows} == {"train": 6000, "eval": 0, "test": 2000}
    assert made.rows == {"train": 6000, "test": 2000}
    every = [*rows["train"], *rows["test"]]
    assert {column for row in every for column in row} >= {f"f{field}" for field in FIELDS}
    for label in ("click", "conversion"):
        assert made.totals[label] == sum(row[label][0] for row in every)


def test_fields_are_missing_as_often_as_in_the_real_files(made):
    common = [parse_line(line, 1)[1] for _, line in read_lines(made.folder / "common_features_train.csv")]
    for field, share in {"121": 0.13, "126": 0.59, "129": 0.37}.items():
        found = np.mean([all(name != field for name, _, _ in features) for features in common])
        assert found == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / len(common)))


@pytest.mark.parametrize("cross", CROSSES)
def test_cross_is_present_if_the_history_holds_the_items_value(rows, cross):
    history, field = (f"f{name}" for name in CROSSES[cross])
    found = 0
    for row in rows["test"]:
        values = {
            code(token): value
            for token, value in zip(row.get(history, []), row.get(f"{history}_value", []), strict=True)
        }
        expected = [(code(token), values[code(token)]) for token in row.get(field, []) if code(token) in values]
        tokens = [code(token) for token in row.get(f"f{cross}", [])]
        assert list(zip(tokens, row.get(f"f{cross}_value", []), strict=True)) == expected
        found += len(expected)
    assert 0 < found < len(rows["test"]) * 2


def code(token):
    return int(token) % 1_000_000


def test_rows_of_a_user_are_consecutive(rows):
    users = [row["f101"][0] for row in rows["train"]]
    runs = 1 + sum(left != right for left, right in itertools.pairwise(users))
    assert runs == len(set(users)) == OPTIONS.users


def test_labels_follow_the_true_probabilities(made, rows):
    truth = pd.read_csv(made.folder / "probabilities_train.csv")
    assert truth["sample_id"].tolist() == list(range(1, 6001))
    np.testing.assert_allclose(truth["ctcvr"], truth["ctr"] * truth["cvr"], atol=1e-8)
    click = np.array([row["click"][0] for row in rows["train"]])
    conversion = np.array([row["conversion"][0] for row in rows["train"]])
    assert truth["ctr"].mean() == pytest.approx(OPTIONS.click_rate, rel=0.15)
    for label, chance, space in ((click, "ctr", click >= 0), (conversion, "cvr", click == 1)):
        for half in (truth[chance] > truth[chance].median(), truth[chance] <= truth[chance].median()):
            p = truth[chance][half & space]
            assert label[half & space].mean() == pytest.approx(p.mean(), abs=4 * np.sqrt((p * (1 - p)).sum()) / len(p))
    assert truth["ctr"].std() > 0.1


def test_users_are_equal_in_both_files(made):
    train, test = (
        {index: features for (index,), features in (parse_line(line, 1) for _, line in read_lines(path))}
        for path in (made.folder / f"common_features_{side}.csv" for side in ("train", "test"))
    )
    both = set(train) & set(test)
    assert len(both) > 100
    assert all(train[index] == test[index] for index in both)


def test_equal_options_give_equal_bytes(made, tmp_path):
    again = simulate_ali_ccp(OPTIONS, tmp_path / "again")
    other = simulate_ali_ccp(dataclasses.replace(OPTIONS, seed=4), tmp_path / "other")
    for path in made.folder.iterdir():
        assert (again.folder / path.name).read_bytes() == path.read_bytes()
        assert (other.folder / path.name).read_bytes() != path.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows: should be at least 1"),
        ({"users": 1}, "users: should be at least 2"),
        ({"nodes": 5}, "nodes: should be at least 6, for a history. Received: 5"),
        ({"click_rate": 1.0}, "click_rate: should be between 0 and 1"),
        ({"strength": -1.0}, "strength: should be 0 or more"),
        ({"seed": -1}, "seed: should be 0 or more"),
    ],
)
def test_rejects_invalid_options(change, message):
    with pytest.raises(FieldError, match=message):
        dataclasses.replace(OPTIONS, **change)
