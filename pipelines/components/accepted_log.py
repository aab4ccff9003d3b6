"""Resolver of the log of the last accepted run, with which a new one is compared."""

from collections.abc import Iterable, Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.components.common.resolver import ResolverStrategy

STATISTICS, EXAMPLES, BLESSINGS, CHECKED = "statistics", "examples", "model_blessing", "anomalies"
"""Input keys: statistics and examples of earlier runs, blessings of their models, and results of their checks."""
ACCEPTED = "accepted_by_user"
"""Property of the result of a check whose anomalies the user has accepted."""
_INPUT = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT, mlmd.Event.INTERNAL_INPUT)
_OUTPUT = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT, mlmd.Event.INTERNAL_OUTPUT)


class AcceptedLogStrategy(ResolverStrategy):
    """Resolves statistics and examples of the last log that was accepted.

    A log is accepted when the model that was trained on it is blessed, or when the user accepts its anomalies. Both are
    found by lineage: the examples that an Evaluator read whose blessing is positive, and those that a check read whose
    result has the property `ACCEPTED`. A log that was refused is never found.
    """

    def resolve_artifacts(self, store: Any, input_dict: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Resolves the artifacts.

        Args:
            store: ML Metadata store.
            input_dict: Artifacts by the input keys of this module.

        Returns:
            The statistics and the examples, which are empty if no log was accepted; the other keys are empty.
        """
        resolved: dict[str, list[Any]] = {key: [] for key in input_dict}
        accepted = [one for one in input_dict.get(BLESSINGS, []) if one.get_int_custom_property("blessed") == 1]
        accepted += [one for one in input_dict.get(CHECKED, []) if one.get_int_custom_property(ACCEPTED) == 1]
        producers = sorted(_executions(store, accepted, _OUTPUT), reverse=True)
        statistics = {one.id: one for one in input_dict[STATISTICS]}
        examples = {one.id: one for one in input_dict[EXAMPLES]}
        for execution in producers:
            read = [one for one in _artifacts(store, execution, _INPUT) if one in examples]
            for artifact in read:
                computed = _computed_from(store, examples[artifact], statistics)
                if computed is not None:
                    return {**resolved, STATISTICS: [statistics[computed]], EXAMPLES: [examples[artifact]]}
        return resolved


def _executions(store: Any, artifacts: Iterable[Any], types: tuple[int, ...]) -> set[int]:
    ids = [artifact.id for artifact in artifacts]
    events = store.get_events_by_artifact_ids(ids) if ids else []
    return {event.execution_id for event in events if event.type in types}


def _artifacts(store: Any, execution: int, types: tuple[int, ...]) -> list[int]:
    events = store.get_events_by_execution_ids([execution])
    return [event.artifact_id for event in events if event.type in types]


def _computed_from(store: Any, examples: Any, statistics: Mapping[int, Any]) -> int | None:
    """Returns the id of the newest statistics that were computed on the examples."""
    readers = _executions(store, [examples], _INPUT)
    found = {one for reader in readers for one in _artifacts(store, reader, _OUTPUT) if one in statistics}
    return max(found, default=None)
