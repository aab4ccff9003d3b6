"""Row-sparse optimizers and their formulas in float64 NumPy."""

import keras
import numpy as np
import tensorflow as tf

from tfmtl.optimizers import RowSparseAdagrad, RowSparseAdam, RowSparseFtrl

ROWS, WIDTH = 6, 3
RATE = 0.05
START = 0.5 * np.random.default_rng(0).normal(size=(ROWS, WIDTH))
DENSE_START = np.random.default_rng(1).normal(size=(WIDTH, 2))
FTRL = {"l1_regularization_strength": 0.3, "l2_regularization_strength": 0.1, "beta": 0.5}
SHRINKAGE = {"l2_shrinkage_regularization_strength": 0.2, "learning_rate_power": -0.7}
OPTIMIZERS = {
    "adam": (RowSparseAdam, keras.optimizers.Adam, {}),
    "adam_slow": (RowSparseAdam, keras.optimizers.Adam, {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-2}),
    "adagrad": (RowSparseAdagrad, keras.optimizers.Adagrad, {"initial_accumulator_value": 0.2, "epsilon": 1e-3}),
    "ftrl": (RowSparseFtrl, keras.optimizers.Ftrl, {}),
    "ftrl_regularized": (RowSparseFtrl, keras.optimizers.Ftrl, {**FTRL, **SHRINKAGE}),
}
COMMON = {
    "plain": {},
    "clipvalue": {"clipvalue": 0.8},
    "clipnorm": {"clipnorm": 1.5},
    "global_clipnorm": {"global_clipnorm": 1.5},
    "weight_decay": {"weight_decay": 0.3},
    "decay_and_clip": {"weight_decay": 0.3, "global_clipnorm": 1.5},
}


def schedule():
    """Returns a schedule of a decreasing learning rate."""
    return keras.optimizers.schedules.ExponentialDecay(RATE, decay_steps=2, decay_rate=0.7)


def scheduled_rate(step):
    """Returns the learning rate of that schedule, in plain Python."""
    return RATE * 0.7 ** (step / 2)


def batches(steps, every_row, seed=2):
    """Yields row ids with repetitions, the gradient of each position, and the gradient of a dense variable."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = rng.integers(0, ROWS, 4)
        rows = rng.permutation(np.concatenate([rows, np.arange(ROWS)])) if every_row else rows
        yield rows, rng.normal(size=(len(rows), WIDTH)), rng.normal(size=DENSE_START.shape)


def summed(rows, values):
    """Returns the dense gradient of the table."""
    dense = np.zeros((ROWS, WIDTH))
    np.add.at(dense, rows, values)
    return dense


def slices(rows, values, dtype="float32"):
    """Returns the gradient of the table in the form that a lookup gives it."""
    return tf.IndexedSlices(tf.constant(values, dtype), tf.constant(rows), tf.constant([ROWS, WIDTH]))


def table_slots(optimizer):
    """Returns the values of the slots of the table, in the order of their creation."""
    return [np.asarray(one.numpy(), "float64") for one in optimizer.variables if tuple(one.shape) == (ROWS, WIDTH)]


class Reference:
    """Reference implementation of the optimizers on a table and a dense variable."""

    def __init__(self, kind, options):
        adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
        ftrl = {name: 0.0 for name in (*FTRL, *SHRINKAGE)} | {"learning_rate_power": -0.5}
        self.kind, self.step = kind.partition("_")[0], 0
        self.options = {"initial_accumulator_value": 0.1, **adam, **ftrl, **options}
        self.weights = [START.copy(), DENSE_START.copy()]
        first = 0.0 if self.kind == "adam" else self.options["initial_accumulator_value"]
        self.slots = [[np.full_like(w, first), np.zeros_like(w)] for w in self.weights]

    def update(self, rows, values, dense, rate):
        self.step += 1
        gradients = self.clipped([summed(rows, values), dense])
        for index, touched in enumerate((np.unique(rows), np.arange(len(dense)))):
            w, slots = self.weights[index][touched], [slot[touched] for slot in self.slots[index]]
            w = w - rate * self.options.get("weight_decay", 0.0) * w
            w, *slots = getattr(self, self.kind)(gradients[index][touched], w, *slots, rate)
            self.weights[index][touched] = w
            for old, new in zip(self.slots[index], slots, strict=True):
                old[touched] = new

    def clipped(self, gradients):
        if limit := self.options.get("clipvalue"):
            return [np.clip(one, -limit, limit) for one in gradients]
        norms = [np.linalg.norm(one) for one in gradients]
        if limit := self.options.get("global_clipnorm"):
            norms = [np.linalg.norm(norms)] * 2
        limit = limit or self.options.get("clipnorm", np.inf)
        return [one * min(1, limit / norm) for one, norm in zip(gradients, norms, strict=True)]

    def adam(self, g, w, m, v, rate):
        b1, b2 = self.options["beta_1"], self.options["beta_2"]
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        rate *= np.sqrt(1 - b2**self.step) / (1 - b1**self.step)
        return w - rate * m / (np.sqrt(v) + self.options["epsilon"]), m, v

    def adagrad(self, g, w, total, unused, rate):
        total = total + g**2
        return w - rate * g / np.sqrt(total + self.options["epsilon"]), total, unused

    def ftrl(self, g, w, n, z, rate):
        l1, l2, beta = (self.options[name] for name in FTRL)
        shrinkage, power = (self.options[name] for name in SHRINKAGE)
        new_n = n + g**2
        z = z + g + 2 * shrinkage * w - (new_n**-power - n**-power) / rate * w
        curvature = (new_n**-power + beta) / rate + 2 * l2
        return np.where(np.abs(z) <= l1, 0.0, (np.sign(z) * l1 - z) / curvature), new_n, z
