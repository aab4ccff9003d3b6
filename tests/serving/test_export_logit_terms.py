"""Exports of models with terms and maps outside their network, compared with Keras."""

import numpy as np
import tensorflow as tf

from serving.export import RAW, SERVING_DEFAULT, TRANSFORMED, export
from serving.servable import Servable
from tests.serving.export_cases import FEATURES, SIZES, SPEC, HashTransform, examples, transformed
from tests.tfmtl import cases
from tests.tfmtl.tiny_models import tiny, tiny_randomized


def assert_export_scores_as(model, folder):
    """Exports a model, and compares the outputs of all signatures with its scores.

    Returns:
        The outputs of `transformed` for `FEATURES`.
    """
    export(model, HashTransform(), str(folder / "1"))
    servable = Servable(folder / "1")
    tokens = tf.constant([b"t%d" % i for i in range(5)])
    requests = {
        TRANSFORMED: (FEATURES, FEATURES),
        SERVING_DEFAULT: ({"examples": examples(5)}, transformed(5)),
        RAW: (dict.fromkeys(SIZES, tokens), transformed(5)),
    }
    found = {}
    for signature, (inputs, features) in requests.items():
        found[signature] = servable.predict(signature, {k: tf.make_tensor_proto(v) for k, v in inputs.items()})
        for output, scores in model.score(features).items():
            np.testing.assert_allclose(found[signature][output], scores, rtol=1e-5)
    return found[TRANSFORMED]


def test_linear_term(tmp_path):
    model = tiny_randomized("adaftr", SPEC, SIZES, wide=True)
    found = assert_export_scores_as(model, tmp_path)
    without = tiny("adaftr", SPEC, SIZES)
    deep = [w for w, v in zip(model.get_weights(), model.weights, strict=True) if v is not model.wide.table]
    without.set_weights(deep)
    assert np.abs(found["ctr"] - without.score(FEATURES)["ctr"]).max() > 0.05


def test_calibrated_heads(tmp_path):
    rng = np.random.default_rng(0)
    rows = 2000
    features = {"user": rng.integers(0, 3, rows), "item": rng.integers(0, 31, rows)}
    model = tiny("adaftr", SPEC, SIZES, calibration="isotonic", calibration_rows=50)
    before = model.score(FEATURES)
    assert model.calibrate([(features, cases.labels(SPEC, rows))])["click"] == 3
    found = assert_export_scores_as(model, tmp_path)
    assert np.abs(found["ctr"] - before["ctr"]).max() > 0.01
