"""A small panel dataset with scenarios, profiles, and days of behaviour and performance, and random rows of it."""

import numpy as np

from tfmtl import DatasetSpec
from tfmtl.models import M2M

SPEC = DatasetSpec.from_yaml("""
name: panel
features:
  - {name: channel, kind: categorical}
  - {name: reach, kind: numerical, max_bucket: 6}
  - {name: size, kind: categorical}
  - {name: logins, kind: number_sequence, max_length: 4, max_bucket: 5}
  - {name: campaign, kind: sequence, max_length: 4}
  - {name: clicks, kind: number_sequence, max_length: 3, max_bucket: 7}
  - {name: words, kind: multi_valued, max_length: 2}
tasks:
  - {name: next_clicks, label: clicks_next_week, kind: count}
  - {name: next_pay, label: pay_next_week, kind: count}
scenario: channel
groups:
  scenario: [channel, reach]
  profile: [size]
  behaviour: [logins, campaign]
  performance: [clicks]
""")
SIZES = {"channel": 5, "size": 3, "campaign": 4, "words": 6}
ROWS = {"channel": 6, "reach": 8, "size": 4, "logins": 7, "campaign": 5, "clicks": 9, "words": 7}
LENGTHS = {"logins": 4, "campaign": 4, "clicks": 3, "words": 2}
OPTIONS = {
    "embedding_dim": 4,
    "position_dim": 3,
    "num_views": 3,
    "view_units": [6],
    "anchor_dim": 3,
    "anchor_units": 5,
    "knowledge_units": [4],
    "meta_layers": 2,
}
VARIANTS = {
    "paper": {},
    "factorized": {"meta_rank": 2},
    "chunked": {"meta_memory_mb": 1e-3},
    "mean": {"sequence_pooling": "mean"},
    "without meta tower": {"meta_tower": False},
    "without meta attention": {"meta_attention": False},
    "without transformer": {"transformer": False},
    "residual sequences": {"sequence_residual": True},
    "one head, deep": {"num_heads": 1, "num_residuals": 3, "knowledge_units": [5, 4], "view_units": [6, 5]},
}
"""Options of M2M that change its forward pass, or the order of its computation."""


def features(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns random rows, whose sequences are short or have padding within; those of the first row are empty."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, count in ROWS.items():
        if name not in LENGTHS:
            found[name] = rng.integers(0, count, rows)
            continue
        length = LENGTHS[name]
        mask = (np.arange(length) >= rng.integers(0, length, rows)[:, None]) & (rng.random((rows, length)) < 0.7)
        mask[0] = False
        found[name] = rng.integers(0, count, (rows, length)) * mask
        found[name + "__weights"] = mask.astype("float32")
    return found


def labels(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns random counts."""
    rng = np.random.default_rng(seed)
    return {task.name: rng.poisson(4.0, rows).astype("float32") for task in SPEC.tasks}


def model_of(spec: DatasetSpec = SPEC, sizes: dict = SIZES, scale: float = 0.5, **options) -> M2M:
    """Returns a small M2M with random weights, including biases, large enough that every part matters."""
    model = M2M.from_spec(spec, sizes, **{**OPTIONS, **options})
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0, scale, weight.shape) for weight in model.weights])
    return model
