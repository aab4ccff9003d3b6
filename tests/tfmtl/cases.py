"""Datasets that several tests share: specs, sizes of vocabularies and random rows."""

import numpy as np

from tfmtl import DatasetSpec
from tfmtl.spec import Task

FEATURES = """
name: shop
features:
  - {name: user, kind: categorical}
  - {name: price, kind: numerical, max_bucket: 8}
  - {name: tags, kind: multi_valued, weights: tag_weights, max_length: 3}
  - {name: history, kind: sequence, max_length: 4}
tasks:
"""
SIZES = {"user": 20, "tags": 9, "history": 14}
ROWS = {"user": 21, "price": 10, "tags": 10, "history": 15}
"""Number of ids of each feature: one more than the tokens of its vocabulary or than its buckets 0 .. 8."""

CLICK = "  - {name: click, label: clicked, output: ctr}\n"
BUY = "  - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}\n"
RETURN = "  - {name: back, label: returned, follows: buy}\n"
VIEWS = "  - {name: views, label: view_count, kind: count}\n"
REVENUE = (
    "  - {name: revenue, label: price_paid, kind: value, follows: buy, output: expected, conditional_output: paid}\n"
)
DWELL = "  - {name: dwell, label: seconds, kind: value, power: 1.2}\n"


def pair() -> DatasetSpec:
    """Returns the spec of the chain click -> buy."""
    return DatasetSpec.from_yaml(FEATURES + CLICK + BUY)


def chain() -> DatasetSpec:
    """Returns the spec of the chain click -> buy -> back, and a count outside of the chain."""
    return DatasetSpec.from_yaml(FEATURES + CLICK + BUY + RETURN + VIEWS)


def values() -> DatasetSpec:
    """Returns the spec of the chain click -> buy -> revenue, and a value outside of the chain."""
    return DatasetSpec.from_yaml(FEATURES + CLICK + BUY + REVENUE + DWELL)


def features(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns random rows of the features; about a fifth of the multivalent values are empty."""
    rng = np.random.default_rng(seed)

    def random_mask(max_length: int) -> np.ndarray:
        return (np.arange(max_length) < rng.integers(0, max_length + 1, rows)[:, None]).astype("float32")

    tags, history = random_mask(3), random_mask(4)
    return {
        "user": rng.integers(0, ROWS["user"], rows),
        "price": rng.integers(0, ROWS["price"], rows),
        "tags": rng.integers(0, ROWS["tags"], (rows, 3)) * tags.astype("int64"),
        "tags__weights": tags * rng.uniform(0.5, 2, (rows, 3)).astype("float32"),
        "history": rng.integers(0, ROWS["history"], (rows, 4)) * history.astype("int64"),
        "history__weights": history,
    }


def labels(spec: DatasetSpec, rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns random labels that respect the chain; half of the rows with a positive previous label are positive."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        drawn[task.name] = _label(task, drawn, rng, rows)
    return drawn


def _label(task: Task, drawn: dict, rng: np.random.Generator, rows: int) -> np.ndarray:
    if task.kind == "value":
        value = rng.lognormal(3.0, 1.0, rows).astype("float32")
        return value * drawn[task.follows] if task.follows else value
    if task.kind == "count":
        return rng.poisson(2.0, rows).astype("float32")
    event = (rng.random(rows) < 0.5).astype("float32")
    return event * drawn[task.follows] if task.follows else event
