"""attend: values, and a gradient of its own against finite differences and against autodiff, to the second order."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.ops import attend

RNG = np.random.default_rng(0)
QUERIES, KEYS, VALUES, UPSTREAM = (
    RNG.normal(size=shape).astype("float32") for shape in ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7), (2, 3, 4, 7))
)
ALL = (QUERIES, KEYS, VALUES)


def expected(queries, keys, values):
    """In float64, one query at a time."""
    mixed = np.zeros((*queries.shape[:-1], values.shape[-1]))
    for place in np.ndindex(queries.shape[:-1]):
        scores = keys[place[:-1]].astype("float64") @ queries[place]
        weights = np.exp(scores - scores.max())
        mixed[place] = weights / weights.sum() @ values[place[:-1]]
    return mixed


def plain(queries, keys, values):
    return tf.matmul(tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True)), values)


def derivatives(function, arguments):
    """Of sum(U (.) function), and of the sum of the squares of those: every part of both depends on all arguments."""
    arguments = [tf.constant(array) for array in arguments]
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = tf.reduce_sum(UPSTREAM * function(*arguments))
        first = inner.gradient(value, arguments)
        total = tf.add_n([tf.reduce_sum(one**2) for one in first])
    return first, outer.gradient(total, arguments)


def test_values():
    np.testing.assert_allclose(attend(*ALL), expected(*ALL), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("graph", [False, True])
def test_derivatives_are_autodiffs(graph):
    def of_attend():
        return derivatives(attend, ALL)

    ours = tf.function(of_attend, autograph=False)() if graph else of_attend()
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(derivatives(plain, ALL)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("argument", [0, 1, 2], ids=["queries", "keys", "values"])
def test_gradient_agrees_with_finite_differences(argument):
    slopes, step = derivatives(attend, ALL)[0][argument], 1e-5
    for place in [(0, 0, 0, 0), (1, 2, 3, 4), (1, 0, 2, 1)]:
        around = []
        for sign in (1, -1):
            moved = [array.astype("float64") for array in ALL]
            moved[argument][place] += sign * step
            around.append((UPSTREAM * expected(*moved)).sum())
        np.testing.assert_allclose(slopes[place], (around[0] - around[1]) / (2 * step), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_extreme_scores(scale):
    first, second = derivatives(attend, (scale * QUERIES, KEYS, VALUES))
    assert all(np.all(np.isfinite(one)) for one in (*first, *second))


def test_bfloat16_with_weights_in_float32():
    rough = attend(*(tf.cast(array, "bfloat16") for array in ALL))
    assert rough.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(rough, "float32"), expected(*ALL), atol=0.1)
