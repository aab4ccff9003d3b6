"""Exports of models with terms outside their network, compared with Keras."""

import numpy as np
import tensorflow as tf

from serving.export import RAW, SERVING_DEFAULT, TRANSFORMED, export
from serving.servable import Servable
from tests.serving.export_cases import FEATURES, SIZES, SPEC, HashTransform, examples, transformed
from tests.tfmtl.tiny_models import tiny, tiny_randomized


def test_linear_term(tmp_path):
    model = tiny_randomized("adaftr", SPEC, SIZES, wide=True)
    export(model, HashTransform(), str(tmp_path / "1"))
    servable = Servable(tmp_path / "1")
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
    without = tiny("adaftr", SPEC, SIZES)
    deep = [w for w, v in zip(model.get_weights(), model.weights, strict=True) if v is not model.wide.table]
    without.set_weights(deep)
    assert np.abs(found[TRANSFORMED]["ctr"] - without.score(FEATURES)["ctr"]).max() > 0.05
