"""attend: values, and its gradients against finite differences and automatic differentiation, to the second order."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import assert_close, dtype_name, gradients, import_tensorflow, to_numpy
from tests.tfmtl.numpy_layers import softmax
from tfmtl.ops import attend, attention_weights

RNG = np.random.default_rng(0)
QUERIES, KEYS, VALUES, UPSTREAM = (
    RNG.normal(size=shape).astype("float32") for shape in ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7), (2, 3, 4, 7))
)
ARGUMENTS = (QUERIES, KEYS, VALUES)


def expected(queries, keys, values):
    """Attention in float64, one query at a time."""
    mixed = np.zeros((*queries.shape[:-1], values.shape[-1]))
    for index in np.ndindex(queries.shape[:-1]):
        scores = keys[index[:-1]].astype("float64") @ queries[index]
        weights = np.exp(scores - scores.max())
        mixed[index] = weights / weights.sum() @ values[index[:-1]]
    return mixed


def plain_attend(queries, keys, values):
    return ops.matmul(ops.softmax(ops.matmul(queries, ops.swapaxes(keys, -1, -2))), values)


def derivatives(function, arguments):
    """Derivatives of sum(U (.) function), and those of the sum of their squares; both depend on all arguments."""

    def first(*arguments):
        return gradients(lambda *inner: ops.sum(ops.multiply(UPSTREAM, function(*inner))), arguments)

    def sum_of_squares(*arguments):
        return sum(ops.sum(ops.square(gradient)) for gradient in first(*arguments))

    return first(*arguments), gradients(sum_of_squares, arguments)


def test_values():
    assert_close(attend(*ARGUMENTS), expected(*ARGUMENTS), rtol=1e-5, atol=1e-6)


def test_weights():
    scores = QUERIES.astype("float64") @ np.swapaxes(KEYS, -1, -2)
    assert_close(attention_weights(QUERIES, KEYS), softmax(scores), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_equal_automatic_differentiation(compiled):
    def compute():
        return derivatives(attend, ARGUMENTS)

    if compiled:
        tf = import_tensorflow("derivatives in a graph")
        compute = tf.function(compute, autograph=False)
    plain = keras.tree.flatten(derivatives(plain_attend, ARGUMENTS))
    for actual, other in zip(keras.tree.flatten(compute()), plain, strict=True):
        assert_close(actual, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("argument", [0, 1, 2], ids=["queries", "keys", "values"])
def test_gradient_agrees_with_finite_differences(argument):
    gradient, step = to_numpy(derivatives(attend, ARGUMENTS)[0][argument]), 1e-5
    for index in [(0, 0, 0, 0), (1, 2, 3, 4), (1, 0, 2, 1)]:
        totals = []
        for sign in (1, -1):
            moved = [array.astype("float64") for array in ARGUMENTS]
            moved[argument][index] += sign * step
            totals.append((UPSTREAM * expected(*moved)).sum())
        np.testing.assert_allclose(gradient[index], (totals[0] - totals[1]) / (2 * step), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_derivatives_of_extreme_scores_are_finite(scale):
    first, second = derivatives(attend, (np.float32(scale) * QUERIES, KEYS, VALUES))
    assert all(np.all(np.isfinite(to_numpy(gradient))) for gradient in (*first, *second))


def test_weights_are_float32_for_bfloat16_arguments():
    arguments = [ops.cast(array, "bfloat16") for array in ARGUMENTS]
    assert dtype_name(attention_weights(*arguments[:2])) == "float32"
    mixed = attend(*arguments)
    assert dtype_name(mixed) == "bfloat16"
    assert_close(mixed, expected(*ARGUMENTS), atol=0.1)
