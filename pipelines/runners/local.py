"""Runs the pipeline on this machine and reports its progress."""

import dataclasses
import datetime
import pathlib
from collections.abc import Callable
from typing import Any

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter
from tfx.proto.orchestration import pipeline_pb2

from pipelines.beam_runner import run_in_process
from pipelines.beam_workers import worker_arguments
from pipelines.components.example_gen import LogExampleGen
from pipelines.components.example_validator import REFUSE
from pipelines.interrupts import raise_if_interrupted
from pipelines.library_messages import failures_hidden, log_level
from pipelines.model_components import PUSHER
from pipelines.pipeline import create_data_pipeline, create_pipeline
from pipelines.raw_log import locate_log, log_bytes, newest_spans
from pipelines.runners.history.relocation import relocate
from pipelines.runners.lineage import Run, latest_run
from pipelines.runners.metadata_store import ARTIFACTS, DATABASE
from pipelines.runners.record_run import recorded_run
from pipelines.runners.run_lock import lock_run_folder
from pipelines.settings import Settings

Progress = Callable[[str, str], None]
"""A function that is called with a component's name and `"start"` or `"end"`."""


@dataclasses.dataclass(frozen=True)
class RunPaths:
    """Paths of the files that a run writes.

    Attributes:
        root: Folder that holds all of them.
    """

    root: pathlib.Path

    @property
    def artifacts(self) -> pathlib.Path:
        """Folder of the components' outputs."""
        return self.root / ARTIFACTS

    @property
    def metadata(self) -> pathlib.Path:
        """SQLite file of the ML Metadata store."""
        return self.root / DATABASE

    def serving(self, model_name: str) -> pathlib.Path:
        """Returns the base directory of a served model, which has one folder per version."""
        return self.root / "serving" / model_name


class ReportingDagRunner(LocalDagRunner):
    """TFX's local runner, which also reports when each component starts and ends.

    The Pusher is never taken from the cache, as it looks at the destination, of which the cache knows nothing.

    Args:
        progress: Function to call before and after each component, after a failed one too; None to report nothing.
        on_success: Function to call with the name of each component that has succeeded. If it raises an error, no
            further component is run.
    """

    def __init__(self, progress: Progress | None = None, on_success: Callable[[str], None] | None = None):
        super().__init__()
        self._progress = progress
        self._on_success = on_success

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs a compiled pipeline, one component after the other.

        Args:
            pipeline: Compiled pipeline, with its components in topological order.
            run_options: Options of a partial run; the progress of such a run is not reported.
        """
        for node in pipeline.nodes:
            if node.pipeline_node.node_info.id == PUSHER:
                node.pipeline_node.execution_options.caching_options.enable_cache = False
        if run_options is not None or (self._progress is None and self._on_success is None):
            super().run_with_ir(pipeline, run_options)
            return
        # The parent runs a pipeline as a whole, so it is given one component at a time. All of them belong to one run.
        run_id = datetime.datetime.now().isoformat()
        substitute_runtime_parameter(pipeline, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
        for node in pipeline.nodes:
            part = pipeline_pb2.Pipeline()
            part.CopyFrom(pipeline)
            del part.nodes[:]
            part.nodes.append(node)
            name = node.pipeline_node.node_info.id
            self._report(name, "start")
            try:
                super().run_with_ir(part)
            finally:
                self._report(name, "end")
            raise_if_interrupted()
            if self._on_success is not None:
                self._on_success(name)

    def _report(self, name: str, event: str) -> None:
        if self._progress is not None:
            self._progress(name, event)


def run_pipeline(
    settings: Settings,
    paths: RunPaths,
    progress: Progress | None = None,
    cache: bool = True,
    data_only: bool = False,
    check_examples: Callable[[str], object] | None = None,
    schema: str = "",
    anomalies: str = REFUSE,
    report_checks: Callable[[str], object] | None = None,
) -> Run:
    """Runs the pipeline in this process.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the log's folder, or one file of it.
        paths: Paths to write to.
        progress: Function to call when a component starts and ends.
        cache: Reuses the outputs of an earlier run with the same inputs, parameters and code.
        data_only: Runs the components from ExampleGen to Transform only, and trains no model.
        check_examples: Function to call with the folder of the examples when the log has been read. If it raises an
            error, the run ends with it.
        schema: Text of the schema with which the log is compared; empty for none.
        anomalies: What anomalies of the log do (`pipelines.components.example_validator`).
        report_checks: Function to call with the folder of the findings when the log has been checked.

    Returns:
        The components that ran and their output artifacts.

    Raises:
        FileNotFoundError: If the log does not exist.
        DataError: If the log has anomalies, and they stop the run.
        ConfigError: If another run uses the folder.
    """
    settings = locate_log(settings)
    paths = RunPaths(paths.root.absolute())  # ML Metadata keeps the paths for runs from other working directories.
    run_in_process()
    with lock_run_folder(paths.root):
        relocate(paths.root)
        spans = newest_spans(settings.data)
        options: dict[str, Any] = {"enable_cache": cache, "spans": spans}
        log_size = log_bytes(settings.data, spans)
        options["worker_arguments"] = worker_arguments(settings.workers, log_size, settings.beam_pipeline_args)
        options["metadata_connection_config"] = metadata.sqlite_metadata_connection_config(str(paths.metadata))
        serving = "" if data_only else str(paths.serving(settings.name))
        if data_only:
            pipeline = create_data_pipeline(settings, str(paths.artifacts), **options)
        else:
            options |= {"schema": schema, "anomalies": anomalies, "trials": str(paths.root)}
            pipeline = create_pipeline(settings, str(paths.artifacts), serving, **options)

        with recorded_run(settings, spans, paths.metadata, serving) as record_start:

            def on_success(name: str) -> None:
                record_start()
                if check_examples is not None and name == LogExampleGen.__name__:
                    check_examples(latest_run(paths.metadata).uri(name, "examples"))
                if report_checks is not None and name == "ExampleValidator":
                    report_checks(latest_run(paths.metadata).uri(name, "anomalies"))

            with log_level(settings.log_level), failures_hidden():
                ReportingDagRunner(progress, on_success).run(pipeline)
    return latest_run(paths.metadata)
