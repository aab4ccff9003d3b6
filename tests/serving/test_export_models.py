"""Scores of every model's SavedModel in a graph session, compared with Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from serving.client import ModelDescription, TfmtlClient
from serving.errors import StatusError
from serving.export import RAW, SERVING_DEFAULT, TRANSFORMED, export
from serving.replay import warm_up
from serving.servable import Servable
from serving.server import EmbeddedServer
from tests.serving.export_cases import FEATURES, SIZES, SPEC, HashTransform, examples, transformed
from tests.tfmtl.tiny_models import OPTIONS, tiny
from tests.tfmtl.variants import VARIANTS
from tfmtl.models import MODELS


def moved(model):
    """Returns the model with random weights and biases."""
    rng = np.random.default_rng(1)
    model.set_weights([weight + rng.normal(0, 0.2, weight.shape) for weight in model.get_weights()])
    return model


def test_every_model_is_tested():
    assert set(OPTIONS) == set(MODELS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in VARIANTS else []) for name in OPTIONS]
)
def test_scores_of_all_signatures(name, tmp_path):
    keras.utils.set_random_seed(1)
    model = moved(tiny(name, SPEC, SIZES))
    export(model, HashTransform(), str(tmp_path / "1"), warmup_examples=examples(2))
    expected, of_examples = model.score(FEATURES), model.score(transformed(5))
    servable = Servable(tmp_path / "1")
    assert warm_up(servable) > 0
    tokens = tf.constant([b"t%d" % i for i in range(5)])
    requests = {
        TRANSFORMED: (FEATURES, expected),
        SERVING_DEFAULT: ({"examples": examples(5)}, of_examples),
        RAW: (dict.fromkeys(SIZES, tokens), of_examples),
    }
    for signature, (inputs, scores) in requests.items():
        found = servable.predict(signature, {key: tf.make_tensor_proto(value) for key, value in inputs.items()})
        assert set(found) == set(scores) == {"ctr", "cvr", "ctcvr"}
        assert max(len(set(values.tolist())) for values in found.values()) > 1
        for output, values in found.items():
            np.testing.assert_allclose(values, scores[output], rtol=1e-5, err_msg=f"{signature} {output}")


def test_description_travels_with_the_export(tmp_path):
    log_format = {"delimiter": ";", "null": ["?"], "columns": {"user": "user_id"}}
    model = moved(tiny("shared_bottom", SPEC, SIZES))
    export(model, HashTransform(), str(tmp_path / "shop" / "1"), log_format=log_format)
    with EmbeddedServer({"shop": tmp_path / "shop"}) as server, TfmtlClient(server.address, "shop") as client:
        assert client.spec() == SPEC
        assert client.description() == ModelDescription(SPEC, log_format)
        scores = client.predict([{"user": "u1"}, {"user": "?"}, {}])
        assert list(scores) == [output.name for output in SPEC.outputs] == ["ctr", "cvr", "ctcvr"]
        assert scores["ctr"][1] == scores["ctr"][2] != scores["ctr"][0]
        np.testing.assert_array_equal(client.predict({"user_id": ["u1", "?", None]})["ctr"], scores["ctr"])
    inputs = {"rows": tf.make_tensor_proto(["", "", ""])}
    texts = Servable(tmp_path / "shop" / "1").predict("description", inputs)["description"].tolist()
    assert len(texts) == 3  # TensorFlow Serving splits the outputs of a batch by row.
    assert [ModelDescription.from_json(text.decode()) for text in texts] == [ModelDescription(SPEC, log_format)] * 3


def test_a_request_for_the_description_cannot_ask_for_much_memory(tmp_path):
    export(tiny("shared_bottom", SPEC, SIZES), HashTransform(), str(tmp_path / "1"))
    servable = Servable(tmp_path / "1")
    assert len(servable.predict("description", {"rows": tf.make_tensor_proto([""] * 4096)})["description"]) == 4096
    with pytest.raises(StatusError, match=r"INVALID_ARGUMENT: .*`rows` should have at most 4096 rows"):
        servable.predict("description", {"rows": tf.make_tensor_proto([""] * 4097)})


def test_export_without_a_spec(ads_export, publish, tmp_path):
    (tmp_path / "ads").mkdir()
    publish(ads_export, tmp_path / "ads" / "1")
    with EmbeddedServer({"ads": tmp_path / "ads"}) as server, TfmtlClient(server.address, "ads") as client:
        assert client.spec() is None
