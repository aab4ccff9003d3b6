"""Resolver of the log whose vocabularies a growing vocabulary continues."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy

from pipelines.components.warm_start_resolver import EXAMPLES, EarlierModelStrategy, examples_of

CURRENT = "current"
"""Input key of the examples of the last span of the present run."""


class EarlierVocabulariesStrategy(ResolverStrategy):
    """Resolves the examples on which the model was trained that the present run starts from.

    That model is the latest blessed one whose last span is before that of the present run (`EarlierModelStrategy`). Its
    vocabularies are therefore those whose rows are copied, and all runs of one day find the same.
    """

    def resolve_artifacts(self, store: Any, input_dict: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Resolves the examples.

        Args:
            store: ML Metadata store.
            input_dict: Artifacts of the models, of their blessings, of all examples (`EXAMPLES`), and of the examples
                of the present run's last span (`CURRENT`).

        Returns:
            The examples, which are empty if there is no such model; the other keys are empty.
        """
        models = {key: input_dict[key] for key in ("model", "model_blessing")}
        earlier = EarlierModelStrategy(has_spans=True)
        found = earlier.resolve_artifacts(store, {**models, EXAMPLES: input_dict[CURRENT]})
        read = {one.id for model in found["model"] for one in examples_of(store, model.id)}
        resolved: dict[str, list[Any]] = {key: [] for key in input_dict}
        return {**resolved, EXAMPLES: [one for one in input_dict[EXAMPLES] if one.id in read]}
