"""Option `label_means`: a model without trained weights predicts the means; and the loss of counts relative to them."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.tiny_models import OPTIONS, tiny, tiny_randomized
from tfmtl.config import ConfigError
from tfmtl.spec import Offset

CHAIN = cases.chain()
MEANS = {"click": 0.2, "buy": 0.05, "back": 0.01, "views": 40.0}


def zeroed(model):
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "m2m"])
def test_a_model_without_weights_predicts_the_means(name):
    model = zeroed(tiny(name, CHAIN, label_means=MEANS))
    scores = {output: np.asarray(values) for output, values in model.score(cases.features(5)).items()}
    for task in CHAIN.tasks:
        np.testing.assert_allclose(scores[task.output], MEANS[task.name], rtol=1e-4)
        if task.follows:
            ratio = MEANS[task.name] / MEANS[task.follows]
            np.testing.assert_allclose(scores[task.conditional_output], ratio, rtol=1e-4)


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_a_head_of_each_space_begins_at_the_mean(space):
    model = zeroed(tiny("mmoe", CHAIN, space=space, label_means=MEANS))
    logits = model(cases.features(3))
    share = 0.25 if space == "conditional" else 0.05
    np.testing.assert_allclose(logits["buy"], np.log(share / (1 - share)), rtol=1e-5)
    np.testing.assert_allclose(logits["views"], np.log(40.0), rtol=1e-5)


def test_panels_begin_at_the_means_and_tasks_without_one_at_one():
    names = [task.name for task in panel_cases.SPEC.tasks]
    model = zeroed(tiny("m2m", label_means={names[0]: 700.0}))
    scores = model.score(panel_cases.features(4))
    np.testing.assert_allclose(scores[panel_cases.SPEC.tasks[0].output], 700.0, rtol=1e-4)
    np.testing.assert_allclose(scores[panel_cases.SPEC.tasks[1].output], 1.0, rtol=1e-4)


def test_an_offset_and_a_mean_multiply():
    tasks = [dataclasses.replace(t, offset=Offset("price") if t.name == "views" else None) for t in CHAIN.tasks]
    model = zeroed(tiny("mmoe", dataclasses.replace(CHAIN, tasks=tuple(tasks)), label_means={"views": 2.5}))
    exposure = np.float32([1.0, 4.0, 10.0])
    scores = model.score({**cases.features(3), "views__exposure": exposure})
    np.testing.assert_allclose(scores["views"], 2.5 * exposure, rtol=1e-5)


def test_relative_loss_of_a_count_is_divided_by_its_mean():
    features, labels = cases.features(9), cases.labels(CHAIN, 9)
    plain = tiny_randomized("mmoe", CHAIN, label_means=MEANS)
    relative = tiny("mmoe", CHAIN, label_means=MEANS, count_loss="relative")
    relative.set_weights(plain.get_weights())
    expected = {
        name: float(loss) for name, (loss, _) in plain.compute_losses(features, labels, training=False).tasks.items()
    }
    found = {
        name: float(loss) for name, (loss, _) in relative.compute_losses(features, labels, training=False).tasks.items()
    }
    assert found.pop("views") == pytest.approx(expected.pop("views") / 40.0, rel=1e-5)
    assert found == pytest.approx(expected, rel=1e-6), "binary tasks have no mean of the loss"


def test_means_are_saved_with_the_model(tmp_path):
    model = tiny_randomized("mmoe", CHAIN, label_means=MEANS, count_loss="relative")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert dict(loaded.options.label_means) == MEANS
    for name, scores in model.score(cases.features(6)).items():
        np.testing.assert_array_equal(scores, loaded.score(cases.features(6))[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_means": {"click": 1.0}}, "should be below 1 for a binary task"),
        ({"label_means": {"views": 0.0}}, "should be above 0"),
        ({"label_means": {"clicks": 0.1}}, "should be a task of the spec"),
        ({"count_loss": "absolute"}, "should be one of likelihood, relative"),
    ],
)
def test_values_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        tiny("mmoe", CHAIN, **options)


def test_a_share_above_one_of_the_previous_task_is_finite():
    model = zeroed(tiny("esmm", CHAIN, label_means={**MEANS, "buy": 0.3}))
    for scores in model.score(cases.features(3)).values():
        assert np.all(np.isfinite(scores))
