"""Resolver of the model to start from: the latest blessed one that was not trained on the data of the run."""

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types import standard_artifacts

from pipelines.components.warm_start_resolver import EXAMPLES, EarlierModelStrategy


@pytest.fixture
def store():
    config = mlmd.ConnectionConfig()
    config.fake_database.SetInParent()
    store = MetadataStore(config)
    for name in ("Examples", "Model"):
        store.put_artifact_type(mlmd.ArtifactType(name=name))
    store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    return store


def put(store, kind, span=None):
    artifact = mlmd.Artifact(type_id=store.get_artifact_type(kind).id)
    if span is not None:
        artifact.custom_properties["span"].int_value = span
    (artifact.id,) = store.put_artifacts([artifact])
    return artifact


def train(store, examples, model=None):
    """Records a training, or a run that takes `model` from the cache; returns the model."""
    model = model or put(store, "Model")
    execution = mlmd.Execution(type_id=store.get_execution_type("Trainer").id)
    events = []
    for artifact, kind, key in ((examples, mlmd.Event.INPUT, EXAMPLES), (model, mlmd.Event.OUTPUT, "model")):
        event = mlmd.Event(artifact_id=artifact.id, type=kind)
        event.path.steps.add().key = key
        events.append((artifact, event))
    store.put_execution(execution, events, [])
    return model


def resolve(store, models, examples, has_spans, blessed=None):
    """Returns the id of the resolved model, or None; all models are blessed unless `blessed` says which."""
    inputs = {"model": [], "model_blessing": [], EXAMPLES: []}
    for model in models:
        artifact = standard_artifacts.Model()
        artifact.id = model.id
        inputs["model"].append(artifact)
        blessing = standard_artifacts.ModelBlessing()
        blessing.id = 1000 + model.id
        blessing.set_int_custom_property("current_model_id", model.id)
        blessing.set_int_custom_property("blessed", int(blessed is None or model in blessed))
        inputs["model_blessing"].append(blessing)
    current = standard_artifacts.Examples()
    current.set_mlmd_artifact(examples)
    inputs[EXAMPLES] = [current]
    resolved = EarlierModelStrategy(has_spans=has_spans).resolve_artifacts(store, inputs)
    assert resolved[EXAMPLES] == [current]
    assert len(resolved["model"]) == len(resolved["model_blessing"])
    return resolved["model"][0].id if resolved["model"] else None


def test_without_spans_a_model_of_the_same_examples_is_passed_over(store):
    days = [put(store, "Examples", 0) for _ in range(3)]
    models = [train(store, day) for day in days[:2]]
    assert resolve(store, [], days[0], has_spans=False) is None
    assert resolve(store, models[:1], days[0], has_spans=False) is None
    assert resolve(store, models, days[1], has_spans=False) == models[0].id
    assert resolve(store, models, days[2], has_spans=False) == models[1].id
    train(store, days[1], models[0])  # A cached step belongs to the run that trained the model.
    assert resolve(store, models, days[1], has_spans=False) == models[0].id


def test_with_spans_a_model_that_has_seen_the_last_span_is_passed_over(store):
    """A day with late files, and an older day, start from the model before them."""
    models = [train(store, put(store, "Examples", span)) for span in (10, 11, 12)]
    for span, expected in ((9, None), (10, None), (11, models[0].id), (12, models[1].id), (13, models[2].id)):
        assert resolve(store, models, put(store, "Examples", span), has_spans=True) == expected


def test_a_model_that_is_not_blessed_is_passed_over(store):
    models = [train(store, put(store, "Examples", span)) for span in (10, 11, 12)]
    now = put(store, "Examples", 13)
    assert resolve(store, models, now, has_spans=True, blessed=models[:2]) == models[1].id
    assert resolve(store, models, now, has_spans=True, blessed=[]) is None
