"""What the tests of models of a chain share: specs, their products in NumPy, and the losses of odd batches."""

import numpy as np
import tensorflow as tf

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


def randomized(kind, spec, **options):
    """A model whose weights, the biases too, are so large that every part counts."""
    model = kind.from_spec(spec, cases.SIZES, **options)
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.weights])
    return model


def products(logits):
    """P(label = 1 | x) of binary tasks from conditional logits."""
    entire = {}
    for name, logit in logits.items():
        if name != "views":
            entire[name] = sigmoid(logit) * (entire[PREVIOUS[name]] if PREVIOUS[name] else 1)
    return entire


def assert_finite_losses_and_gradients(model, rows, biases):
    """All-negative and all-positive labels, with every tower's logits moved by a bias of its own."""
    for tower, bias in zip(model.towers.values(), biases, strict=False):
        tower.head.bias.assign([bias])
    features = {name: values[:rows] for name, values in FEATURES.items()}
    for labels in (np.zeros(rows, "float32"), np.ones(rows, "float32")):
        with tf.GradientTape() as tape:
            losses = model.losses_of(features, dict.fromkeys(model.towers, labels))
        assert np.isfinite(losses.total)
        for slope, weight in zip(
            tape.gradient(losses.total, model.trainable_variables), model.trainable_variables, strict=True
        ):
            if slope is not None:
                assert isinstance(slope, tf.IndexedSlices) == (weight is model.embedding.table)
                assert np.isfinite(tf.convert_to_tensor(slope)).all(), weight.path
