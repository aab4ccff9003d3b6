"""Logistic regression as a row of a comparison: probabilities on each output's space, and its options."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Regression
from sklearn.preprocessing import OneHotEncoder

from pipelines.compare.fitters.logistic_regression import LogisticRegression, LogisticRegressionOptions
from pipelines.compare.jobs import NO_SEED, Job
from tests.pipelines.evaluation.test_logistic_regression import SETTINGS, draw_rows, write_split
from tfmtl.config import Document, FieldError, build, parse_yaml
from tfmtl.spec import DatasetSpec, Task

SPEC = build(DatasetSpec, Document({**parse_yaml(SETTINGS).data["spec"]}))


@dataclasses.dataclass
class Data:
    folder: object
    rows: dict
    spec = SPEC

    def files(self, split):
        return [str(path) for path in (self.folder / f"Split-{split}").glob("*.gz")]


@pytest.fixture
def splits(tmp_path):
    rows = {split: draw_rows(count, seed) for seed, (split, count) in enumerate(COUNTS.items())}
    for split, columns in rows.items():
        write_split(tmp_path, split, columns)
    return Data(tmp_path, COUNTS), rows


COUNTS = {"train": 900, "eval": 100, "test": 300}


def fit(data, **options):
    return LogisticRegression().fit(Job("logistic_regression", "logistic_regression", options, {}, NO_SEED), data)


def expected(rows, label, chosen, strength):
    """Probabilities of scikit-learn's regression on its own encoding, for the test rows."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    train, test = (np.stack([rows[split]["user"], rows[split]["item"]], 1) for split in ("train", "test"))
    encoded = encoder.fit_transform(train), encoder.transform(test)
    scale = np.log1p(rows["train"]["price"]).max()
    prices = [np.log1p(rows[split]["price"])[:, None] / scale for split in ("train", "test")]
    x, x_test = (np.hstack(parts) for parts in zip(encoded, prices, strict=True))
    return (
        Regression(C=strength, max_iter=1000).fit(x[chosen], rows["train"][label][chosen]).predict_proba(x_test)[:, 1]
    )


@pytest.mark.parametrize("strength", [1.0, 0.05])
def test_probabilities_are_those_of_scikit_learn(splits, strength):
    data, rows = splits
    fitted = fit(data, inverse_regularization=strength)
    assert {split: len(scores["ctr"]) for split, scores in fitted.scores.items()} == {"eval": 100, "test": 300}
    everywhere, clicked = np.ones(900, bool), rows["train"]["clicked"].astype(bool)
    for output, label, chosen in (
        ("ctr", "clicked", everywhere),
        ("ctcvr", "bought", everywhere),
        ("cvr", "bought", clicked),
    ):
        found = fitted.scores["test"][output]
        np.testing.assert_allclose(found, expected(rows, label, chosen, strength), atol=5e-3)
    assert fitted.parameters == 3 * (20 + 30 + 1 + 1)


def test_a_sample_of_the_rows_gives_another_regression(splits):
    data, _ = splits
    whole, sample = fit(data), fit(data, max_rows=400)
    assert np.abs(whole.scores["test"]["ctr"] - sample.scores["test"]["ctr"]).max() > 1e-3


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(FieldError, match="should be above 0"):
        LogisticRegressionOptions(inverse_regularization=0.0)
    counts = DatasetSpec("shop", SPEC.features, (Task("visits", "visits", kind="count"),))
    with pytest.raises(FieldError, match="should be used with binary tasks"):
        LogisticRegressionOptions().check_tasks(counts)
    LogisticRegressionOptions().check_tasks(SPEC)
