"""Loading of models that earlier versions saved, and former names of their options."""

import dataclasses
import pathlib
import warnings

import keras
import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.model_harness import config_error
from tfmtl import config
from tfmtl.config import RenamedWarning
from tfmtl.models import ESMM, AdaFTR, MMoE, ModelOptions, SharedBottom
from tfmtl.models.mmoe import MMoEOptions

DATA = pathlib.Path(__file__).parent / "data"
"""Models that were saved before `tfmtl` 0.1, each with rows and the scores that the model gave for them."""
FORMER = {"space": "previous", "max_importance": 30.0}


def load_rows(name):
    """Features, labels and scores, each by name."""
    with np.load(DATA / f"{name}.npz") as arrays:
        parts = [path.split("/") for path in arrays]
        return [
            {key: arrays[f"{part}/{key}"] for one, key in parts if one == part}
            for part in ("features", "labels", "scores")
        ]


@pytest.mark.parametrize("name", ["mmoe", "man"])
def test_loads_model_of_an_earlier_version(name):
    features, labels, scores = load_rows(name)
    model = keras.saving.load_model(DATA / f"{name}.keras")
    found = model.score(features)
    assert list(found) == list(scores)
    for output, values in scores.items():
        np.testing.assert_allclose(found[output], values, atol=1e-6)
    steps = int(model.optimizer.iterations)
    assert steps > 0
    model.run_eagerly = True
    model.train_on_batch(features, labels)
    assert int(model.optimizer.iterations) == steps + 1


def test_saved_options_hold_the_defaults():
    """A default that changes later does not change a saved model."""
    model = MMoE.from_spec(cases.pair(), cases.SIZES, embedding_dim=4)
    saved = model.get_config()["options"]
    assert set(saved) == {field.name for field in dataclasses.fields(MMoEOptions)}
    assert (saved["embedding_dim"], saved["num_experts"]) == (4, MMoEOptions().num_experts)
    assert MMoE.from_config(model.get_config()).options == model.options


def test_saved_options_under_former_names_load_without_a_warning():
    model_config = MMoE.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, expert_units=[4]).get_config()
    model_config["options"] = {
        "embedding_dim": 4,
        "expert_units": [4],
        **FORMER,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", RenamedWarning)
        model = MMoE.from_config(model_config)
    assert (model.options.space, model.options.max_weight) == ("conditional", 30.0)
    assert model.get_config()["options"]["space"] == "conditional"


def test_saved_options_of_a_wrapper_under_former_names_load_without_a_warning():
    backbone = {"bottom_units": [4], "tower_units": [4]}
    options = {"backbone": "shared_bottom", "backbone_options": backbone, "space": "entire"}
    model_config = AdaFTR.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, **options).get_config()
    model_config["options"] = {"embedding_dim": 4, **options, **FORMER}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RenamedWarning)
        model = AdaFTR.from_config(model_config)
    assert model.backbone.options.space == "conditional"
    assert model.backbone.options.max_weight == 30.0


def test_from_spec_warns_about_former_names():
    with pytest.warns(RenamedWarning) as caught:
        model = SharedBottom.from_spec(cases.pair(), cases.SIZES, bottom_units=[4], **FORMER)
    assert (model.options.space, model.options.max_weight) == ("conditional", 30.0)
    messages = sorted(str(one.message) for one in caught)
    assert "`max_weight`" in messages[0]
    assert "`previous`" in messages[1]
    assert "`conditional`" in messages[1]


def test_settings_warn_about_former_names_with_their_line():
    text = "embedding_dim: 4\nmax_importance: 30\n"
    with pytest.warns(RenamedWarning, match=r"^settings\.yaml:2: max_importance: .*`max_weight`"):
        options = config.build(MMoEOptions, config.parse_yaml(text, "settings.yaml"))
    assert options.max_weight == 30


def test_options_object_rejects_a_former_value_and_says_what_to_write():
    with pytest.raises(
        ValueError, match=r"space: should be one of entire, conditional \(`previous` was renamed; write `cond"
    ):
        ModelOptions(space="previous")
    with pytest.raises(ValueError, match=r"space: should be one of entire, conditional\. Received: 'clicks'"):
        MMoEOptions(space="clicks")


def test_former_names_are_not_options_of_a_backbone():
    options = {"backbone": "esmm", "space": "entire", "backbone_options": {"max_importance": 3.0}}
    message = config_error(AdaFTR.from_spec, cases.pair(), cases.SIZES, **options)
    assert message.startswith("backbone_options.max_importance: should be an option of AdaFTR")


def test_restricted_space_is_rejected_under_its_present_name():
    with pytest.warns(RenamedWarning):
        message = config_error(ESMM.from_spec, cases.pair(), cases.SIZES, space="previous")
    assert message.startswith("space: should be entire, because all losses are over all rows")
