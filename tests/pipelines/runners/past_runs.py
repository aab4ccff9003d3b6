"""A run folder with runs in ML Metadata that were never computed, for tests of history and retention."""

import pathlib

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.history.record import Record, write_record


class PastRuns:
    """Writes runs to the store of a run folder.

    Args:
        root: Run folder.
    """

    def __init__(self, root: pathlib.Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(root / "metadata.sqlite")
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = MetadataStore(config)
        kinds = (
            "Examples",
            "ExampleStatistics",
            "ExampleAnomalies",
            "Model",
            "ModelRun",
            "ModelBlessing",
            "PushedModel",
        )
        self._types = {kind: self.store.put_artifact_type(mlmd.ArtifactType(name=kind)) for kind in kinds}
        self._contexts = {
            kind: self.store.put_context_type(mlmd.ContextType(name=kind)) for kind in ("pipeline_run", "node")
        }
        self._execution = self.store.put_execution_type(mlmd.ExecutionType(name="step"))

    def start(self, name: str) -> None:
        """Begins a run."""
        context = mlmd.Context(type_id=self._contexts["pipeline_run"], name=name)
        (context.id,) = self.store.put_contexts([context])
        self._run = context

    def step(self, node, outputs, inputs=(), cached=False, **properties):
        """Adds a step, with `outputs` by key: kinds of new artifacts, or artifacts from the cache; returns these."""
        states = mlmd.Execution.CACHED if cached else mlmd.Execution.COMPLETE
        execution = mlmd.Execution(type_id=self._execution, last_known_state=states)
        (execution.id,) = self.store.put_executions([execution])
        pairs, made = [], {}
        for artifact in inputs:
            pairs.append((artifact, mlmd.Event(artifact_id=artifact.id, type=mlmd.Event.INPUT)))
        for key, kind in outputs.items():
            artifact = kind
            if isinstance(kind, str):
                folder = self.root / "pipeline" / node / key / str(execution.id)
                folder.mkdir(parents=True)
                (folder / "file").write_text("x" * 1000)
                artifact = mlmd.Artifact(type_id=self._types[kind], uri=str(folder), state=mlmd.Artifact.LIVE)
                for name, value in properties.items():
                    field = "int_value" if isinstance(value, int) else "string_value"
                    setattr(artifact.custom_properties[name], field, value)
                (artifact.id,) = self.store.put_artifacts([artifact])
                artifact = self.store.get_artifacts_by_id([artifact.id])[0]
            event = mlmd.Event(artifact_id=artifact.id, type=mlmd.Event.OUTPUT)
            event.path.steps.add().key = key
            pairs.append((artifact, event))
            made[key] = artifact
        self.store.put_execution(execution, pairs, [self._node(node), self._run])
        return made

    def day(self, name, blessed=True, start=None, **fields):
        """Adds a whole run, whose training starts from the model of an earlier one; returns its artifacts."""
        self.start(name)
        made = self.step("LogExampleGen", {"examples": "Examples"})
        made |= self.step("StatisticsGen", {"statistics": "ExampleStatistics"}, [made["examples"]])
        bases = [] if start is None else [start["model"]]
        if bases:
            self.step("warm_start_model", {"model": bases[0]}, cached=True)
        made |= self.step("Trainer", {"model": "Model", "model_run": "ModelRun"}, [made["examples"], *bases])
        identity = {"blessed": int(blessed), "current_model_id": made["model"].id}
        made |= self.step(
            "Evaluator", {"blessing": "ModelBlessing"}, [made["examples"], made["model"], *bases], **identity
        )
        pushed = {"pushed": int(blessed), "pushed_version": name[-2:]}
        made |= self.step("Pusher", {"pushed_model": "PushedModel"}, [made["model"], made["blessing"]], **pushed)
        if fields:
            write_record(self.root / "metadata.sqlite", Record(blessed=blessed, **fields))
        return made

    def _node(self, node):
        found = self.store.get_context_by_type_and_name("node", f"shop.{node}")
        if found is None:
            found = mlmd.Context(type_id=self._contexts["node"], name=f"shop.{node}")
            (found.id,) = self.store.put_contexts([found])
        return found
