"""Log of the last accepted run in ML Metadata, with which the next log is compared."""

from collections.abc import Iterable, Iterator

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.metadata_store import property_value

_ACCEPTED = {"ModelBlessing": "blessed", "ExampleAnomalies": "accepted_by_user"}
"""Property by which an artifact of a type says that a log is accepted (`pipelines.components.accepted_log`)."""
_INPUTS = (mlmd.Event.INPUT, mlmd.Event.INTERNAL_INPUT, mlmd.Event.DECLARED_INPUT)
_OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT, mlmd.Event.DECLARED_OUTPUT)


def accepted_log(store: MetadataStore) -> set[int]:
    """Returns the ids of what the next run looks up: examples, their statistics, and what says that they are accepted.

    Args:
        store: Store of ML Metadata.

    Returns:
        The ids; none if no log was accepted whose files exist.
    """
    accepted = {
        artifact.id
        for kind, name in _ACCEPTED.items()
        for artifact in live_artifacts(store, kind)
        if property_value(artifact, name) == 1
    }
    examples = {artifact.id for artifact in live_artifacts(store, "Examples")}
    statistics = {artifact.id for artifact in live_artifacts(store, "ExampleStatistics")}
    for execution in sorted(_executions(store, accepted, _OUTPUTS), reverse=True):
        says = accepted & set(_artifacts(store, [execution], _OUTPUTS))
        for read in examples & set(_artifacts(store, [execution], _INPUTS)):
            computed = statistics & set(_artifacts(store, _executions(store, {read}, _INPUTS), _OUTPUTS))
            if computed:
                return {*says, read, max(computed)}
    return set()


def training_examples(store: MetadataStore, models: Iterable[int]) -> set[int]:
    """Returns the ids of the examples on which models were trained, whose token counts a growing vocabulary continues.

    Args:
        store: Store of ML Metadata.
        models: Ids of the models.
    """
    read = set(_artifacts(store, _executions(store, models, _OUTPUTS), _INPUTS))
    return read & {artifact.id for artifact in live_artifacts(store, "Examples")}


def live_artifacts(store: MetadataStore, kind: str) -> list[mlmd.Artifact]:
    """Returns the artifacts of a type whose files exist.

    Args:
        store: Store of ML Metadata.
        kind: Name of the type, which the store need not have.
    """
    if not any(one.name == kind for one in store.get_artifact_types()):
        return []
    return [artifact for artifact in store.get_artifacts_by_type(kind) if artifact.state == mlmd.Artifact.LIVE]


def _executions(store: MetadataStore, artifacts: Iterable[int], types: tuple[int, ...]) -> set[int]:
    ids = list(artifacts)
    events = store.get_events_by_artifact_ids(ids) if ids else []
    return {event.execution_id for event in events if event.type in types}


def _artifacts(store: MetadataStore, executions: Iterable[int], types: tuple[int, ...]) -> Iterator[int]:
    ids = list(executions)
    events = store.get_events_by_execution_ids(ids) if ids else []
    yield from (event.artifact_id for event in events if event.type in types)
