"""InfoNCE between tasks and its relatives; loops over rows in float64 are the other route."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.losses import alignment, bpr_contrast, info_nce

SIMILARITIES = pytest.mark.parametrize("similarity", ["dot", "cosine"])


def pairs(rows=9, width=5, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return [tf.constant(scale * rng.normal(size=(rows, width)), "float32") for _ in range(2)]


def temperatures(rows=9, seed=1):
    return np.random.default_rng(seed).uniform(0.05, 1.0, rows).astype("float32")


def similarity_of(a, b, similarity):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / (math.hypot(*a) * math.hypot(*b)) if similarity == "cosine" else dot


def rows_of(tensor):
    return np.asarray(tensor, "float64").tolist()


def info_nce_by_loop(anchors, others, temperature, similarity="dot", kept=None):
    anchors, others = rows_of(anchors), rows_of(others)
    kept = range(len(anchors)) if kept is None else kept
    losses = []
    for r, anchor in enumerate(anchors):
        of_rows = {k: similarity_of(anchor, others[k], similarity) / float(temperature[r]) for k in {*kept, r}}
        top = max(of_rows.values())
        losses.append(top + math.log(math.fsum(math.exp(s - top) for s in of_rows.values())) - of_rows[r])
    return losses


def bpr_by_loop(anchors, others, similarity="dot", kept=None):
    anchors, others = rows_of(anchors), rows_of(others)
    kept = list(range(len(anchors)) if kept is None else kept)
    losses = {}
    for position, r in enumerate(kept):
        negative = kept[(position + 1) % len(kept)]
        margin = similarity_of(anchors[r], others[r], similarity) - similarity_of(
            anchors[r], others[negative], similarity
        )
        losses[r] = math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0)
    return losses


def gradients(loss, *tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = tf.reduce_sum(loss(*tensors))
    return [np.asarray(slope) for slope in tape.gradient(total, tensors)]


@SIMILARITIES
def test_info_nce_values(similarity):
    anchors, others = pairs()
    tau = temperatures()
    losses = info_nce(anchors, others, tau, similarity)
    assert losses.dtype == tf.float32
    expected = info_nce_by_loop(anchors, others, tau, similarity)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected) > 0.1


def test_the_negatives_are_those_of_the_other_task():
    anchors, others = pairs()
    moved = tf.tensor_scatter_nd_add(anchors, [[3]], [tf.ones(5)])
    before, after = (np.asarray(info_nce(one, others, 0.5)) for one in (anchors, moved))
    np.testing.assert_array_equal(np.flatnonzero(before != after), [3])


def test_one_temperature_for_all_rows():
    anchors, others = pairs()
    expected = info_nce_by_loop(anchors, others, [0.07] * 9)
    for temperature in (0.07, tf.constant(0.07), np.full(9, 0.07)):
        np.testing.assert_allclose(info_nce(anchors, others, temperature), expected, rtol=1e-5, atol=1e-5)


@SIMILARITIES
def test_info_nce_gradients_are_those_of_differences(similarity):
    anchors, others = pairs(rows=4, width=3)
    tau = tf.constant(temperatures(4) + 0.3)
    slopes = gradients(lambda a, b, t: info_nce(a, b, t, similarity), anchors, others, tau)
    arrays = [np.asarray(one, "float64") for one in (anchors, others, tau)]
    for array, slope in zip(arrays, slopes, strict=True):
        for index in np.ndindex(array.shape):
            ends = []
            for step in (1e-6, -1e-6):
                kept, array[index] = array[index], array[index] + step
                ends.append(math.fsum(info_nce_by_loop(*arrays, similarity)))
                array[index] = kept
            np.testing.assert_allclose(slope[index], (ends[0] - ends[1]) / 2e-6, rtol=1e-3, atol=1e-4)


@SIMILARITIES
@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 1e6])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 100.0])
def test_extremes_are_finite(similarity, temperature, scale):
    anchors, others = pairs(rows=40, width=64, scale=scale)
    tau = tf.fill([40], temperature)
    losses = np.asarray(info_nce(anchors, others, tau, similarity), "float64")
    assert np.all(np.isfinite(losses))
    assert losses.min() >= 0
    exact = np.array(info_nce_by_loop(anchors, others, tau, similarity)) if scale else math.log(40)
    # The rounding of a similarity is divided by the temperature too.
    largest = max(1.0, scale**2 * 64) if similarity == "dot" else 1.0
    np.testing.assert_allclose(losses, exact, rtol=1e-4, atol=1e-5 + 2e-6 * largest / temperature)
    for slope in gradients(lambda a, b, t: info_nce(a, b, t, similarity), anchors, others, tau):
        assert np.all(np.isfinite(slope))


@SIMILARITIES
def test_zero_vectors(similarity):
    anchors, others = pairs()
    anchors = tf.tensor_scatter_nd_update(anchors, [[2], [5]], tf.zeros((2, 5)))
    others = tf.tensor_scatter_nd_update(others, [[5], [7]], tf.zeros((2, 5)))
    losses = info_nce(anchors, others, 0.05, similarity)
    np.testing.assert_allclose(np.asarray(losses)[[2, 5]], math.log(9), rtol=1e-5)
    for loss in (lambda a, b: info_nce(a, b, 0.05, similarity), lambda a, b: bpr_contrast(a, b, similarity)):
        slopes = gradients(loss, anchors, others)
        assert all(np.all(np.isfinite(slope)) for slope in slopes)
        assert np.any(slopes[0][2]) == (similarity == "dot")


@SIMILARITIES
def test_a_batch_of_one_has_no_negative(similarity):
    anchors, others = pairs(rows=1)
    for loss in (lambda a, b: info_nce(a, b, 1e-6, similarity), lambda a, b: bpr_contrast(a, b, similarity)):
        np.testing.assert_array_equal(loss(anchors, others), [0.0])
        assert all(np.all(slope == 0) for slope in gradients(loss, anchors, others))


@SIMILARITIES
@pytest.mark.parametrize("kept", [[0, 3, 4, 8], [1, 2], [5], [2, 3, 4, 5, 6, 7, 8]])
def test_rows_left_out_are_as_if_they_were_not_there(similarity, kept):
    anchors, others = pairs()
    tau = temperatures()
    keep = np.isin(np.arange(9), kept)
    contrasts = {
        info_nce: (info_nce_by_loop(anchors, others, tau, similarity, kept), (tau,)),
        bpr_contrast: (bpr_by_loop(anchors, others, similarity, kept), ()),
    }
    for contrast, (expected, more) in contrasts.items():
        losses = np.asarray(contrast(anchors, others, *more, similarity, keep))
        alone = len(kept) == 1
        np.testing.assert_allclose(losses[keep], [0 if alone else expected[r] for r in kept], rtol=1e-5, atol=1e-5)
        assert np.all(np.isfinite(losses))

        def of_kept(a, b, contrast=contrast, more=more):
            return contrast(a, b, *more, similarity, keep) * keep.astype("float32")

        for slope in gradients(of_kept, anchors, others):
            assert np.all(np.isfinite(slope))
            assert not np.any(slope[~keep])


@SIMILARITIES
@pytest.mark.parametrize("block", [2, 3, 4, 8, 9, 20])
@pytest.mark.parametrize("masked", [False, True])
def test_blocks_see_themselves_alone(similarity, block, masked):
    anchors, others = pairs()
    tau = temperatures()
    keep = np.arange(9) % 4 != 2 if masked else None
    losses = info_nce(anchors, others, tau, similarity, keep, block)
    assert losses.shape == (9,)
    expected = []
    for start in range(0, 9, block):
        part = slice(start, start + block)
        kept = np.flatnonzero(keep[part]).tolist() if masked else None
        expected += info_nce_by_loop(anchors[part], others[part], tau[part], similarity, kept)
    shown = keep if masked else slice(None)
    np.testing.assert_allclose(np.asarray(losses)[shown], np.array(expected)[shown], rtol=1e-5, atol=1e-5)

    def in_blocks(a, b):
        return info_nce(a, b, 1e-6, similarity, keep, block)[: 9 // block * block]

    assert all(np.all(np.isfinite(slope)) for slope in gradients(in_blocks, anchors, others))


def test_gradients_of_blocks_are_those_of_the_blocks_alone():
    anchors, others = pairs()
    slopes = gradients(lambda a, b: info_nce(a, b, 0.3, block=4), anchors, others)
    parts = [gradients(lambda a, b: info_nce(a, b, 0.3), anchors[i : i + 4], others[i : i + 4]) for i in (0, 4, 8)]
    for slope, of_parts in zip(slopes, zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(slope, np.concatenate(of_parts), rtol=1e-4, atol=1e-5)


def test_no_row_at_all_takes_part():
    anchors, others = pairs()
    none = np.zeros(9, bool)
    assert np.all(np.isfinite(info_nce(anchors, others, 1e-6, keep=none)))
    np.testing.assert_array_equal(bpr_contrast(anchors, others, keep=none), np.zeros(9))


@SIMILARITIES
def test_bpr_values(similarity):
    anchors, others = pairs()
    losses = bpr_contrast(anchors, others, similarity)
    expected = bpr_by_loop(anchors, others, similarity)
    np.testing.assert_allclose(losses, [expected[r] for r in range(9)], rtol=1e-5)


def test_bpr_extremes_are_finite():
    anchors, others = pairs(scale=1e4)
    expected = bpr_by_loop(anchors, others)
    losses = bpr_contrast(anchors, others)
    np.testing.assert_allclose(losses, [expected[r] for r in range(9)], rtol=1e-5, atol=1e-20)
    assert all(np.all(np.isfinite(slope)) for slope in gradients(bpr_contrast, anchors, others))


@pytest.mark.parametrize("kind", ["mse", "mae"])
def test_alignment_values(kind):
    anchors, others = pairs()
    expected = [
        sum((x - y) ** 2 if kind == "mse" else abs(x - y) for x, y in zip(a, b, strict=True)) / 5
        for a, b in zip(rows_of(anchors), rows_of(others), strict=True)
    ]
    np.testing.assert_allclose(alignment(anchors, others, kind), expected, rtol=1e-5)
    assert all(np.all(np.isfinite(slope)) for slope in gradients(lambda a, b: alignment(a, b, kind), anchors, anchors))


def test_rough_hiddens_and_graphs():
    anchors, others = pairs()
    rough = [tf.cast(one, "bfloat16") for one in (anchors, others)]
    as_floats = [tf.cast(one, "float32") for one in rough]
    losses = {
        "info_nce": lambda a, b: info_nce(a, b, 0.1),
        "blocks": lambda a, b: info_nce(a, b, 0.1, block=4),
        "bpr": bpr_contrast,
        "alignment": alignment,
    }
    for loss in losses.values():
        assert loss(*rough).dtype == tf.float32
        np.testing.assert_array_equal(loss(*rough), loss(*as_floats))
        of_any_batch = tf.function(loss, input_signature=2 * [tf.TensorSpec((None, 5))])
        for rows in (1, 2, 9):
            part = [one[:rows] for one in (anchors, others)]
            np.testing.assert_allclose(of_any_batch(*part), loss(*part), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["info_nce", "bpr", "mse"])
def test_second_derivatives(kind):
    """Those of an inner step of meta-learning, against differences of the first."""
    anchors, others = pairs(rows=4, width=3)
    loss = {
        "info_nce": lambda a, b: info_nce(a, b, 0.5),
        "bpr": bpr_contrast,
        "mse": alignment,
    }[kind]
    rng = np.random.default_rng(5)
    directions = [tf.constant(rng.normal(size=(4, 3)), "float32") for _ in range(2)]
    with tf.GradientTape() as outer:
        outer.watch((anchors, others))
        with tf.GradientTape() as inner:
            inner.watch((anchors, others))
            total = tf.reduce_sum(loss(anchors, others))
        slopes = inner.gradient(total, (anchors, others))
        along = sum(tf.reduce_sum(slope * direction) for slope, direction in zip(slopes, directions, strict=True))
    second = outer.gradient(along, (anchors, others))
    ends = []
    for step in (1e-2, -1e-2):
        moved = [one + step * direction for one, direction in zip((anchors, others), directions, strict=True)]
        ends.append(gradients(loss, *moved))
    for of_one, up, down in zip(second, *ends, strict=True):
        np.testing.assert_allclose(of_one, (up - down) / 2e-2, rtol=0.02, atol=5e-3)
        assert np.any(np.abs(of_one) > 0.01)
