"""Against which model a new one is compared."""

from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy

CURRENT = "current"


class BlessedPredecessorStrategy(LatestBlessedModelStrategy):
    """The latest blessed model that is not the one of this run.

    TFX's own strategy gives the model itself when a run trains nothing new: the model is then evaluated against itself,
    blessed and pushed once more. With this one, such a run has the inputs of the run before and is served from the
    cache.
    """

    def resolve_artifacts(self, store, input_dict):
        current = {model.id for model in input_dict.get(CURRENT, [])}
        others = {
            key: [artifact for artifact in artifacts if artifact.id not in current]
            for key, artifacts in input_dict.items()
            if key != CURRENT
        }
        resolved = super().resolve_artifacts(store, others) or {key: [] for key in others}
        return {**resolved, CURRENT: input_dict.get(CURRENT, [])}
