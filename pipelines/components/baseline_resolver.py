"""Resolver of the baseline, the model with which a new one is compared."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy

CURRENT = "current"
"""Input key of the model of the present run."""


class BlessedPredecessorStrategy(LatestBlessedModelStrategy):
    """Resolves the latest blessed model other than that of the present run.

    TFX's own strategy returns the model itself if a run takes its model from the cache: the model is then compared with
    itself, blessed and pushed again. With this strategy, such a run has the same inputs as the run before, so that its
    evaluation comes from the cache as well.
    """

    def resolve_artifacts(self, store: Any, input_dict: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Resolves the baseline.

        Args:
            store: ML Metadata store.
            input_dict: Artifacts of the models, of their blessings, and of the present run's model (`CURRENT`).

        Returns:
            The baseline and its blessing, which are empty if there is none, and the present run's model.
        """
        current = {model.id for model in input_dict.get(CURRENT, [])}
        others = {
            key: [artifact for artifact in artifacts if artifact.id not in current]
            for key, artifacts in input_dict.items()
            if key != CURRENT
        }
        resolved = super().resolve_artifacts(store, others) or {key: [] for key in others}
        return {**resolved, CURRENT: input_dict.get(CURRENT, [])}
