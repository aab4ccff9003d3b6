"""Resolver of the model whose weights a training starts from."""

from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy

EXAMPLES = "examples"
"""Input key of the examples of the present run."""


class EarlierModelStrategy(LatestBlessedModelStrategy):
    """Resolves the latest blessed model that was not trained on the data of the present run.

    With TFX's own strategy, a second run on the same data starts from the model of the first one, and so trains twice
    on it. With this one, both runs start from the same model, so that the second one takes its training from the cache.

    A model was trained on the data of the present run if its examples are the same, or if the last of its spans is not
    before the last one of the present run. A day to which files were added is therefore trained anew, from the model of
    the day before.

    Args:
        has_spans: Whether the pattern of the log has placeholders, so that examples have a span.
    """

    def __init__(self, has_spans: bool = False):
        self._has_spans = has_spans

    def resolve_artifacts(self, store: Any, input_dict: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Resolves the model.

        Args:
            store: ML Metadata store.
            input_dict: Artifacts of the models, of their blessings, and of the present run's examples (`EXAMPLES`).

        Returns:
            The model and its blessing, which are empty if there is none, and the present run's examples.
        """
        (current,) = input_dict[EXAMPLES]
        earlier = {key: list(artifacts) for key, artifacts in input_dict.items() if key != EXAMPLES}
        earlier["model"] = [
            model
            for model in earlier.get("model", [])
            if not any(self._overlaps(examples, current.mlmd_artifact) for examples in examples_of(store, model.id))
        ]
        resolved = super().resolve_artifacts(store, earlier) or {key: [] for key in earlier}
        return {**resolved, EXAMPLES: [current]}

    def _overlaps(self, examples: mlmd.Artifact, current: mlmd.Artifact) -> bool:
        return examples.id == current.id or (self._has_spans and _span(examples) >= _span(current))


def examples_of(store: Any, model: int) -> list[mlmd.Artifact]:
    """Returns the examples that a model was trained on.

    Args:
        store: ML Metadata store.
        model: Id of the model.
    """
    outputs = [event for event in store.get_events_by_artifact_ids([model]) if event.type == mlmd.Event.OUTPUT]
    # A run that takes the model from the cache has an execution of its own, with inputs of the same content.
    trained = min((event.execution_id for event in outputs), default=None)
    if trained is None:
        return []
    inputs = [
        event.artifact_id
        for event in store.get_events_by_execution_ids([trained])
        if event.type == mlmd.Event.INPUT and event.path.steps[0].key == EXAMPLES
    ]
    return list(store.get_artifacts_by_id(inputs))


def _span(examples: mlmd.Artifact) -> int:
    """Returns the last span of examples."""
    value = examples.custom_properties.get("span", mlmd.Value())
    return int(value.string_value or value.int_value)
