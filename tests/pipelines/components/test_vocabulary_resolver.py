"""Resolver of the log whose vocabularies grow: that of the model from which the training starts."""

from tfx.types import standard_artifacts

from pipelines.components.vocabulary_resolver import CURRENT, EXAMPLES, EarlierVocabulariesStrategy
from tests.pipelines.components.test_warm_start_resolver import put, store, train

__all__ = ["store"]


def artifact(kind, one):
    made = kind()
    made.set_mlmd_artifact(one)
    return made


def resolve(store, models, examples, span, refused=()):
    """Returns the id of the resolved examples, or None."""
    inputs = {"model": [], "model_blessing": [], EXAMPLES: [artifact(standard_artifacts.Examples, e) for e in examples]}
    for model in models:
        inputs["model"].append(artifact(standard_artifacts.Model, model))
        blessing = standard_artifacts.ModelBlessing()
        blessing.id = 1000 + model.id
        blessing.set_int_custom_property("current_model_id", model.id)
        blessing.set_int_custom_property("blessed", int(model not in refused))
        inputs["model_blessing"].append(blessing)
    inputs[CURRENT] = [artifact(standard_artifacts.Examples, put(store, "Examples", span))]
    resolved = EarlierVocabulariesStrategy().resolve_artifacts(store, inputs)
    assert set(resolved) == set(inputs)
    assert not any(found for key, found in resolved.items() if key != EXAMPLES)
    return resolved[EXAMPLES][0].id if resolved[EXAMPLES] else None


def test_the_examples_of_the_model_before_the_day_are_found(store):
    """Also in a second run of a day, when there is a model of that day."""
    days = [put(store, "Examples", span) for span in (10, 11, 12)]
    models = [train(store, day) for day in days]
    spans = {9: None, 10: None, 11: days[0].id, 12: days[1].id, 13: days[2].id}
    assert {span: resolve(store, models, days, span) for span in spans} == spans


def test_a_refused_day_is_passed_over(store):
    days = [put(store, "Examples", span) for span in (10, 11)]
    models = [train(store, day) for day in days]
    assert resolve(store, models, days, 12, refused=models[1:]) == days[0].id
    assert resolve(store, models, days, 12, refused=models) is None


def test_examples_that_were_removed_are_not_found(store):
    days = [put(store, "Examples", span) for span in (10, 11)]
    models = [train(store, day) for day in days]
    assert resolve(store, models, days[:1], 12) is None
