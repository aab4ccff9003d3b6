"""InfoNCE between tasks, the pairwise contrast and alignment, against loops over rows in float64."""

import math
import sys

import numpy as np
import pytest
from keras import ops

from tests.tfmtl import backends
from tests.tfmtl.backends import dtype_name, needs_tensorflow, to_numpy
from tests.tfmtl.losses.gradients import compiled, gradients, tensor, value_and_gradients
from tfmtl.losses import alignment, bpr_contrast, info_nce

SIMILARITIES = pytest.mark.parametrize("similarity", ["dot", "cosine"])


def pairs(rows=9, width=5, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return [(scale * rng.normal(size=(rows, width))).astype("float32") for _ in range(2)]


def temperatures(rows=9, seed=1):
    return np.random.default_rng(seed).uniform(0.05, 1.0, rows).astype("float32")


def similarity_of(a, b, similarity):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / (math.hypot(*a) * math.hypot(*b)) if similarity == "cosine" else dot


def rows_of(values):
    return np.asarray(values, "float64").tolist()


def info_nce_by_loop(anchors, others, temperature, similarity="dot", kept=None):
    anchors, others = rows_of(anchors), rows_of(others)
    kept = range(len(anchors)) if kept is None else kept
    losses = []
    for r, anchor in enumerate(anchors):
        logits = {k: similarity_of(anchor, others[k], similarity) / float(temperature[r]) for k in {*kept, r}}
        largest = max(logits.values())
        losses.append(largest + math.log(math.fsum(math.exp(s - largest) for s in logits.values())) - logits[r])
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


@SIMILARITIES
def test_info_nce_values(similarity):
    anchors, others = pairs()
    tau = temperatures()
    losses = info_nce(anchors, others, tau, similarity)
    assert dtype_name(losses) == "float32"
    expected = info_nce_by_loop(anchors, others, tau, similarity)
    np.testing.assert_allclose(to_numpy(losses), expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected) > 0.1


def test_negatives_are_representations_of_the_other_task():
    anchors, others = pairs()
    moved = anchors.copy()
    moved[3] += 1
    before, after = (to_numpy(info_nce(one, others, 0.5)) for one in (anchors, moved))
    np.testing.assert_array_equal(np.flatnonzero(before != after), [3])


def test_one_temperature_for_all_rows():
    anchors, others = pairs()
    expected = info_nce_by_loop(anchors, others, [0.07] * 9)
    for temperature in (0.07, tensor(0.07), np.full(9, 0.07)):
        np.testing.assert_allclose(to_numpy(info_nce(anchors, others, temperature)), expected, rtol=1e-5, atol=1e-5)


@SIMILARITIES
def test_info_nce_gradients_equal_difference_quotients(similarity):
    anchors, others = pairs(rows=4, width=3)
    tau = temperatures(4) + np.float32(0.3)
    slopes = gradients(lambda a, b, t: info_nce(a, b, t, similarity), anchors, others, tau)
    arrays = [np.asarray(one, "float64") for one in (anchors, others, tau)]
    for values, slope in zip(arrays, slopes, strict=True):
        for index in np.ndindex(values.shape):
            ends = []
            for step in (1e-6, -1e-6):
                kept, values[index] = values[index], values[index] + step
                ends.append(math.fsum(info_nce_by_loop(*arrays, similarity)))
                values[index] = kept
            np.testing.assert_allclose(slope[index], (ends[0] - ends[1]) / 2e-6, rtol=1e-3, atol=1e-4)


@SIMILARITIES
@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 1e6])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 100.0])
def test_finite_at_extreme_temperatures_and_scales(similarity, temperature, scale):
    anchors, others = pairs(rows=40, width=64, scale=scale)
    tau = np.full(40, temperature, "float32")
    losses, slopes = value_and_gradients(lambda a, b, t: info_nce(a, b, t, similarity), anchors, others, tau)
    losses = losses.astype("float64")
    assert np.all(np.isfinite(losses))
    assert losses.min() >= 0
    exact = np.array(info_nce_by_loop(anchors, others, tau, similarity)) if scale else math.log(40)
    # The rounding error of a similarity is also divided by the temperature.
    largest = max(1.0, scale**2 * 64) if similarity == "dot" else 1.0
    np.testing.assert_allclose(losses, exact, rtol=1e-4, atol=1e-5 + 2e-6 * largest / temperature)
    for slope in slopes:
        assert np.all(np.isfinite(slope))


@SIMILARITIES
def test_zero_vectors(similarity):
    anchors, others = pairs()
    anchors[[2, 5]] = 0
    others[[5, 7]] = 0
    losses = to_numpy(info_nce(anchors, others, 0.05, similarity))
    np.testing.assert_allclose(losses[[2, 5]], math.log(9), rtol=1e-5)
    for loss in (lambda a, b: info_nce(a, b, 0.05, similarity), lambda a, b: bpr_contrast(a, b, similarity)):
        slopes = gradients(loss, anchors, others)
        assert all(np.all(np.isfinite(slope)) for slope in slopes)
        assert np.any(slopes[0][2]) == (similarity == "dot")


@SIMILARITIES
def test_batch_of_one_row_has_no_negative(similarity):
    anchors, others = pairs(rows=1)
    for loss in (lambda a, b: info_nce(a, b, 1e-6, similarity), lambda a, b: bpr_contrast(a, b, similarity)):
        losses, slopes = value_and_gradients(loss, anchors, others)
        np.testing.assert_array_equal(losses, [0.0])
        assert all(np.all(slope == 0) for slope in slopes)


def test_batch_without_rows():
    none = np.zeros((0, 3), "float32")
    for losses in (info_nce(none, none, 1.0), info_nce(none, none, 1.0, block=2), bpr_contrast(none, none)):
        assert tuple(losses.shape) == (0,)


@SIMILARITIES
@pytest.mark.parametrize("kept", [[0, 3, 4, 8], [1, 2], [5], [2, 3, 4, 5, 6, 7, 8]])
def test_excluded_rows_have_no_influence(similarity, kept):
    anchors, others = pairs()
    tau = temperatures()
    keep = np.isin(np.arange(9), kept)
    contrasts = {
        info_nce: (info_nce_by_loop(anchors, others, tau, similarity, kept), (tau,)),
        bpr_contrast: (bpr_by_loop(anchors, others, similarity, kept), ()),
    }
    for contrast, (expected, more) in contrasts.items():
        losses = to_numpy(contrast(anchors, others, *more, similarity, keep))
        alone = len(kept) == 1
        np.testing.assert_allclose(losses[keep], [0 if alone else expected[r] for r in kept], rtol=1e-5, atol=1e-5)
        assert np.all(np.isfinite(losses))

        def kept_losses(a, b, contrast=contrast, more=more):
            return contrast(a, b, *more, similarity, keep) * tensor(keep)

        for slope in gradients(kept_losses, anchors, others):
            assert np.all(np.isfinite(slope))
            assert not np.any(slope[~keep])


@SIMILARITIES
@pytest.mark.parametrize("block", [2, 3, 4, 8, 9, 20])
@pytest.mark.parametrize("masked", [False, True])
def test_negatives_are_rows_of_the_same_block(similarity, block, masked):
    anchors, others = pairs()
    tau = temperatures()
    keep = np.arange(9) % 4 != 2 if masked else None
    losses = to_numpy(info_nce(anchors, others, tau, similarity, keep, block))
    assert losses.shape == (9,)
    expected = []
    for start in range(0, 9, block):
        part = slice(start, start + block)
        kept = np.flatnonzero(keep[part]).tolist() if masked else None
        expected += info_nce_by_loop(anchors[part], others[part], tau[part], similarity, kept)
    compared = keep if masked else slice(None)
    np.testing.assert_allclose(losses[compared], np.array(expected)[compared], rtol=1e-5, atol=1e-5)

    def in_blocks(a, b):
        return info_nce(a, b, 1e-6, similarity, keep, block)[: 9 // block * block]

    assert all(np.all(np.isfinite(slope)) for slope in gradients(in_blocks, anchors, others))


def test_gradients_of_blocks_equal_those_of_separate_batches():
    anchors, others = pairs()
    slopes = gradients(lambda a, b: info_nce(a, b, 0.3, block=4), anchors, others)
    parts = [gradients(lambda a, b: info_nce(a, b, 0.3), anchors[i : i + 4], others[i : i + 4]) for i in (0, 4, 8)]
    for slope, block_slopes in zip(slopes, zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(slope, np.concatenate(block_slopes), rtol=1e-4, atol=1e-5)


def test_all_rows_excluded():
    anchors, others = pairs()
    none = np.zeros(9, bool)
    assert np.all(np.isfinite(to_numpy(info_nce(anchors, others, 1e-6, keep=none))))
    np.testing.assert_array_equal(to_numpy(bpr_contrast(anchors, others, keep=none)), np.zeros(9))


@SIMILARITIES
def test_bpr_values(similarity):
    anchors, others = pairs()
    losses = to_numpy(bpr_contrast(anchors, others, similarity))
    expected = bpr_by_loop(anchors, others, similarity)
    np.testing.assert_allclose(losses, [expected[r] for r in range(9)], rtol=1e-5)


def test_bpr_finite_at_extreme_scales():
    anchors, others = pairs(scale=1e4)
    expected = bpr_by_loop(anchors, others)
    losses, slopes = value_and_gradients(bpr_contrast, anchors, others)
    np.testing.assert_allclose(losses, [expected[r] for r in range(9)], rtol=1e-5, atol=1e-20)
    assert all(np.all(np.isfinite(slope)) for slope in slopes)


@pytest.mark.parametrize("kind", ["mse", "mae"])
def test_alignment_values(kind):
    anchors, others = pairs()
    expected = [
        sum((x - y) ** 2 if kind == "mse" else abs(x - y) for x, y in zip(a, b, strict=True)) / 5
        for a, b in zip(rows_of(anchors), rows_of(others), strict=True)
    ]
    np.testing.assert_allclose(to_numpy(alignment(anchors, others, kind)), expected, rtol=1e-5)
    assert all(np.all(np.isfinite(slope)) for slope in gradients(lambda a, b: alignment(a, b, kind), anchors, anchors))


LOSSES = {
    "info_nce": lambda a, b: info_nce(a, b, 0.1),
    "blocks": lambda a, b: info_nce(a, b, 0.1, block=4),
    "bpr": bpr_contrast,
    "alignment": alignment,
}


@pytest.mark.parametrize("name", LOSSES)
def test_16_bit_representations_are_cast_to_float32(name):
    rounded = [tensor(one, "bfloat16") for one in pairs()]
    losses = LOSSES[name](*rounded)
    assert dtype_name(losses) == "float32"
    expected = LOSSES[name](*(to_numpy(one).astype("float32") for one in rounded))
    np.testing.assert_array_equal(to_numpy(losses), to_numpy(expected))


@pytest.mark.parametrize("name", LOSSES)
def test_compiled_for_any_batch_size(name):
    anchors, others = pairs()
    any_batch = compiled(LOSSES[name], (None, 5), (None, 5))
    for rows in (1, 2, 9):
        part = [tensor(one[:rows]) for one in (anchors, others)]
        np.testing.assert_allclose(to_numpy(any_batch(*part)), to_numpy(LOSSES[name](*part)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["info_nce", "bpr", "mse"])
def test_second_derivatives(kind):
    """The derivatives that meta-learning takes of an inner step, against difference quotients of the gradients."""
    anchors, others = pairs(rows=4, width=3)
    loss = {
        "info_nce": lambda a, b: info_nce(a, b, 0.5),
        "bpr": bpr_contrast,
        "mse": alignment,
    }[kind]
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(2, 4, 3)).astype("float32")

    def directional_derivative(a, b):
        slopes = backends.gradients(lambda a, b: ops.sum(loss(a, b)), (a, b))
        return sum(ops.sum(slope * tensor(direction)) for slope, direction in zip(slopes, directions, strict=True))

    second = backends.gradients(directional_derivative, (anchors, others))
    ends = []
    for step in (1e-2, -1e-2):
        moved = [one + step * direction for one, direction in zip((anchors, others), directions, strict=True)]
        ends.append(gradients(loss, *(one.astype("float32") for one in moved)))
    for derivative, up, down in zip(map(to_numpy, second), *ends, strict=True):
        np.testing.assert_allclose(derivative, (up - down) / 2e-2, rtol=0.02, atol=5e-3)
        assert np.any(np.abs(derivative) > 0.01)


@needs_tensorflow
@pytest.mark.parametrize("masked", [False, True])
def test_custom_gradient_equals_the_gradient_of_keras_ops(masked, monkeypatch):
    anchors, others = pairs(rows=12, width=4)
    keep = np.arange(12) % 5 != 1 if masked else None

    def loss(a, b):
        losses = info_nce(a, b, 0.2, "cosine", keep)
        return losses if keep is None else losses * tensor(keep)

    custom = value_and_gradients(loss, anchors, others)
    monkeypatch.setattr(sys.modules["tfmtl.losses.info_nce"], "is_tensorflow", lambda: False)
    plain = value_and_gradients(loss, anchors, others)
    np.testing.assert_allclose(custom[0], plain[0], rtol=1e-5, atol=1e-6)
    for one, other in zip(custom[1], plain[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
