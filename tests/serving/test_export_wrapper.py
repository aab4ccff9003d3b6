"""Export of a model that wraps another one: the inner model without the parts that only training needs."""

import numpy as np
import pytest
import tensorflow as tf

from serving.export import TRANSFORMED, ServingModule, describe, export, fingerprint
from tests.serving.export_cases import FEATURES, RNG, SIZES, SPEC, HashTransform, examples
from tfmtl.models import MODELS, AdaFTR

BACKBONES = {
    "mmoe": {"num_experts": 2, "expert_units": [5], "tower_units": [6, 4]},
    "shared_bottom": {"bottom_units": [5], "tower_units": [6, 4]},
    "ple": {"num_shared": 1, "num_per_task": 1, "expert_units": [5], "tower_units": [6, 4]},
}


def models(backbone):
    """Returns AdaFTR on a backbone, and the backbone itself with the same weights."""
    common = {"embedding_dim": 4, "space": "conditional"}
    wrapper = AdaFTR.from_spec(SPEC, SIZES, backbone=backbone, backbone_options=BACKBONES[backbone], **common)
    wrapper.set_weights([RNG.normal(0, 0.6, weight.shape) for weight in wrapper.weights])
    alone = MODELS[backbone].from_spec(SPEC, SIZES, **common, **BACKBONES[backbone])
    alone.set_weights(wrapper.backbone.get_weights())
    return wrapper, alone


def variables_of(directory):
    """Returns shapes and values of the variables in a SavedModel's checkpoint, in an order independent of names."""
    reader = tf.train.load_checkpoint(f"{directory}/variables/variables")
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return sorted((reader.get_tensor(name) for name in names), key=lambda value: (value.shape, value.tobytes()))


@pytest.fixture(scope="module", params=BACKBONES)
def exported(request, tmp_path_factory):
    wrapper, alone = models(request.param)
    folders = [str(tmp_path_factory.mktemp(name)) for name in ("wrapper", "alone")]
    for model, folder in zip((wrapper, alone), folders, strict=True):
        export(model, HashTransform(), folder)
    return wrapper, alone, *folders


def test_variables_are_those_of_the_backbone(exported):
    wrapper, alone, of_wrapper, of_alone = exported
    assert len(wrapper.weights) == len(alone.weights) + 4
    found, expected = variables_of(of_wrapper), variables_of(of_alone)
    assert len(expected) == len(alone.weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(tf.saved_model.load(of_wrapper).model_variables) == len(alone.weights)


def test_scores_are_those_of_the_backbone(exported):
    _, alone, *folders = exported
    expected = alone.score(FEATURES)
    answers = []
    for folder in folders:
        signatures = tf.saved_model.load(folder).signatures
        scores = signatures[TRANSFORMED](**{name: tf.constant(ids) for name, ids in FEATURES.items()})
        assert set(scores) == {"ctr", "cvr", "ctcvr"}
        for name, values in scores.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-5)
        answers.append(signatures["serving_default"](examples=tf.constant(examples(5))))
    for name, values in answers[0].items():
        assert len(set(values.numpy().tolist())) > 1
        np.testing.assert_allclose(values, answers[1][name], rtol=1e-5)


def test_graph_is_as_large_as_that_of_the_backbone(exported):
    wrapper, alone, *_ = exported
    graphs = [ServingModule(model, HashTransform()).signatures()[TRANSFORMED].graph for model in (wrapper, alone)]
    operations = [sorted(operation.type for operation in graph.get_operations()) for graph in graphs]
    assert operations[0] == operations[1]


def test_fingerprint_is_that_of_the_backbone(exported):
    wrapper, alone, of_wrapper, _ = exported
    before = fingerprint(wrapper, of_wrapper)
    assert describe(of_wrapper)["fingerprint"] == before
    assert describe(of_wrapper)["model"] == "AdaFTR"
    assert alone.serving_model() is alone
    assert wrapper.serving_model() is wrapper.backbone
    bias = wrapper.relatedness["buy"].head.bias
    bias.assign(bias + 1.0)
    assert fingerprint(wrapper, of_wrapper) == before
    bias = wrapper.backbone.towers["buy"].head.bias
    bias.assign(bias + 1.0)
    changed = fingerprint(wrapper, of_wrapper)
    bias.assign(bias - 1.0)
    assert changed != before
