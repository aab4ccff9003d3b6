"""Specs, and the product of probabilities in NumPy, for the tests of models of a chain."""

from tests.tfmtl import cases
from tests.tfmtl.numpy_layers import sigmoid
from tfmtl import DatasetSpec

FEATURES = cases.features(7)
LIKE = "  - {name: like, label: liked, follows: click}\n"
SPECS = {
    "chain": cases.chain(),
    "tree": DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.BUY + LIKE),
    "one": DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK),
}
PREVIOUS = {"click": None, "buy": "click", "back": "buy", "views": None, "like": "click"}


def products(logits):
    """P(label = 1 | x) of binary tasks by task name, from conditional logits."""
    entire = {}
    for name, logit in logits.items():
        if name != "views":
            entire[name] = sigmoid(logit) * (entire[PREVIOUS[name]] if PREVIOUS[name] else 1)
    return entire
