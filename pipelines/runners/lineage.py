"""Record of a run in ML Metadata: its components, which of them came from the cache, and their outputs."""

import dataclasses
import pathlib

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.metadata_store import open_store, property_value, run_contexts


@dataclasses.dataclass(frozen=True)
class Step:
    """Component of a run.

    Attributes:
        name: Name of the component.
        cached: True if the outputs of an earlier execution were reused.
        outputs: Output artifacts by key.
        seconds: Time between the start and the end of the execution; close to 0 for one that was reused.
    """

    name: str
    cached: bool
    outputs: dict[str, list[mlmd.Artifact]]
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Run:
    """Run of a pipeline.

    Attributes:
        steps: Components by name, in the order in which they ran.
    """

    steps: dict[str, Step]

    def artifact(self, step: str, key: str) -> mlmd.Artifact:
        """Returns the output artifact of a component.

        Args:
            step: Name of the component.
            key: Key of the output.

        Raises:
            KeyError: If the component has no such output.
        """
        artifacts = self.steps[step].outputs.get(key, [])
        if not artifacts:
            raise KeyError(f"{step} has no output {key!r}")
        return artifacts[0]

    def uri(self, step: str, key: str) -> str:
        """Returns the path of the output artifact of a component.

        Args:
            step: Name of the component.
            key: Key of the output.

        Raises:
            KeyError: If the component has no such output.
        """
        return str(self.artifact(step, key).uri)

    @property
    def blessed(self) -> bool:
        """True if the model reached its thresholds."""
        return bool(property_value(self.artifact("Evaluator", "blessing"), "blessed") == 1)

    @property
    def pushed_version(self) -> str | None:
        """Version that this run pushed; None if it did not push a model."""
        step = self.steps.get("Pusher")
        if step is None or step.cached or not step.outputs.get("pushed_model"):
            return None
        artifact = step.outputs["pushed_model"][0]
        return str(property_value(artifact, "pushed_version")) if property_value(artifact, "pushed") == 1 else None

    @property
    def rolled_back_version(self) -> str | None:
        """Version that served this run's model until it was rolled back; None if it was not."""
        step = self.steps.get("Pusher")
        found = (
            [property_value(one, "rolled_back_version") for one in step.outputs.get("pushed_model", [])] if step else []
        )
        return str(found[0]) if found and found[0] else None


def latest_run(database: pathlib.Path) -> Run:
    """Returns the newest run in an ML Metadata store.

    Args:
        database: SQLite file of the store.

    Raises:
        LookupError: If the store holds no run.
    """
    store = open_store(database)
    runs = run_contexts(store)
    if not runs:
        raise LookupError(f"{database} should hold a pipeline run. Received: none")
    return read_run(store, runs[-1])


def read_run(store: MetadataStore, context: mlmd.Context) -> Run:
    """Returns a run.

    Args:
        store: ML Metadata store.
        context: Context of the run.
    """
    executions = sorted(store.get_executions_by_context(context.id), key=lambda execution: execution.id)
    return Run({name: step for execution in executions for name, step in [_step(store, execution)]})


def _step(store: MetadataStore, execution: mlmd.Execution) -> tuple[str, Step]:
    nodes = [c.name for c in store.get_contexts_by_execution(execution.id) if c.type == "node"]
    name = nodes[0].rsplit(".", 1)[-1]
    outputs: dict[str, list[mlmd.Artifact]] = {}
    for event in store.get_events_by_execution_ids([execution.id]):
        if event.type in (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT, mlmd.Event.DECLARED_OUTPUT):
            key = event.path.steps[0].key
            outputs.setdefault(key, []).extend(store.get_artifacts_by_id([event.artifact_id]))
    seconds = (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
    return name, Step(name, execution.last_known_state == mlmd.Execution.CACHED, outputs, seconds)
