"""What ML Metadata knows of a run: which components ran, which were cached, and what they made."""

import dataclasses
import pathlib
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata


@dataclasses.dataclass(frozen=True)
class Step:
    """One component of a run.

    Attributes:
        name: of the component.
        cached: whether an earlier execution's outputs were used.
        outputs: its artifacts by output key.
    """

    name: str
    cached: bool
    outputs: dict[str, list[mlmd.Artifact]]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a pipeline.

    Attributes:
        steps: by component name, in the order in which they ran.
    """

    steps: dict[str, Step]

    def artifact(self, step: str, key: str) -> mlmd.Artifact:
        """The one artifact that a component made. Raises `KeyError` if it made none."""
        artifacts = self.steps[step].outputs.get(key, [])
        if not artifacts:
            raise KeyError(f"{step} made no {key!r}")
        return artifacts[0]

    def uri(self, step: str, key: str) -> str:
        """Where that artifact is."""
        return self.artifact(step, key).uri

    @property
    def blessed(self) -> bool:
        """Whether the model reached its thresholds."""
        return _property(self.artifact("Evaluator", "blessing"), "blessed") == 1

    @property
    def pushed_version(self) -> str | None:
        """The version under which this run pushed its model; None if it did not push."""
        step = self.steps.get("Pusher")
        if step is None or step.cached or not step.outputs.get("pushed_model"):
            return None
        artifact = step.outputs["pushed_model"][0]
        return _property(artifact, "pushed_version") if _property(artifact, "pushed") == 1 else None


def latest_run(database: pathlib.Path) -> Run:
    """The newest run in a SQLite metadata store.

    Raises:
        LookupError: if the store holds none.
    """
    store = MetadataStore(metadata.sqlite_metadata_connection_config(str(database)))
    runs = store.get_contexts_by_type("pipeline_run")
    if not runs:
        raise LookupError(f"{database} should hold a pipeline run. Received: none")
    newest = max(runs, key=lambda context: context.id)
    executions = sorted(store.get_executions_by_context(newest.id), key=lambda execution: execution.id)
    return Run({name: step for execution in executions for name, step in [_step(store, execution)]})


def _step(store: MetadataStore, execution: mlmd.Execution) -> tuple[str, Step]:
    nodes = [c.name for c in store.get_contexts_by_execution(execution.id) if c.type == "node"]
    name = nodes[0].rsplit(".", 1)[-1]
    outputs: dict[str, list[mlmd.Artifact]] = {}
    for event in store.get_events_by_execution_ids([execution.id]):
        if event.type in (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT, mlmd.Event.DECLARED_OUTPUT):
            key = event.path.steps[0].key
            outputs.setdefault(key, []).extend(store.get_artifacts_by_id([event.artifact_id]))
    return name, Step(name, execution.last_known_state == mlmd.Execution.CACHED, outputs)


def _property(artifact: mlmd.Artifact, name: str) -> Any:
    value = artifact.custom_properties.get(name)
    return getattr(value, value.WhichOneof("value")) if value is not None else None
