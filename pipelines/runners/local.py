"""Runs the pipeline on this machine and reports its progress."""

import dataclasses
import datetime
import pathlib
import posixpath
from collections.abc import Callable
from typing import Any

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter
from tfx.proto.orchestration import pipeline_pb2

from pipelines.components.baseline_resolver import BlessedPredecessorStrategy
from pipelines.pipeline import create_data_pipeline, create_pipeline
from pipelines.runners.beam_runner import run_in_process
from pipelines.runners.lineage import Run, latest_run
from pipelines.settings import Settings
from pipelines.terminal import log_level
from tfmtl.config import ConfigError, FieldError
from transforms.ingest.manifest import Manifest
from transforms.readers.log_format import INGESTED
from transforms.readers.spans import SpanPattern, has_spans
from transforms.storage.files import exists, find_files, is_folder

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
        return self.root / "pipeline"

    @property
    def metadata(self) -> pathlib.Path:
        """SQLite file of the ML Metadata store."""
        return self.root / "metadata.sqlite"

    def serving(self, model_name: str) -> pathlib.Path:
        """Returns the base directory of a served model, which has one folder per version."""
        return self.root / "serving" / model_name


class ReportingDagRunner(LocalDagRunner):
    """TFX's local runner, which also reports when each component starts and ends.

    Args:
        progress: Function to call before and after each component, after a failed one too; None to report nothing.
    """

    def __init__(self, progress: Progress | None = None):
        super().__init__()
        self._progress = progress

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs a compiled pipeline, one component after the other.

        Args:
            pipeline: Compiled pipeline, with its components in topological order.
            run_options: Options of a partial run; the progress of such a run is not reported.
        """
        if self._progress is None or run_options is not None:
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
            self._progress(name, "start")
            try:
                super().run_with_ir(part)
            finally:
                self._progress(name, "end")


def run_pipeline(
    settings: Settings,
    paths: RunPaths,
    progress: Progress | None = None,
    cache: bool = True,
    data_only: bool = False,
) -> Run:
    """Runs the pipeline in this process.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the log's folder, or one file of it.
        paths: Paths to write to.
        progress: Function to call when a component starts and ends.
        cache: Reuses the outputs of an earlier run with the same inputs, parameters and code.
        data_only: Runs the components from ExampleGen to Transform only, and trains no model.

    Returns:
        The components that ran and their output artifacts.

    Raises:
        FileNotFoundError: If the log does not exist.
    """
    settings = locate_log(settings)
    paths.root.mkdir(parents=True, exist_ok=True)
    run_in_process()
    store = metadata.sqlite_metadata_connection_config(str(paths.metadata))
    options: dict[str, Any] = {"metadata_connection_config": store, "enable_cache": cache}
    options["spans"] = newest_spans(settings)
    if data_only:
        pipeline = create_data_pipeline(settings, str(paths.artifacts), **options)
    else:
        serving = str(paths.serving(settings.name))
        pipeline = create_pipeline(
            settings, str(paths.artifacts), serving, baseline=BlessedPredecessorStrategy, **options
        )
    with log_level(settings.log_level):
        ReportingDagRunner(progress).run(pipeline)
    return latest_run(paths.metadata)


def locate_log(settings: Settings) -> Settings:
    """Returns settings whose log is an absolute folder and a pattern; the path of one file is split into the two.

    Raises:
        FileNotFoundError: If the path does not exist, or no file matches the pattern.
        ConfigError: If an ingested log lacks columns of the spec.
    """
    data = settings.data
    path = data.path if "://" in data.path else str(pathlib.Path(data.path).expanduser().resolve())
    if not data.path or not (exists(path) or is_folder(path)):
        raise FileNotFoundError(f"data.path should be the folder of the raw log, or a file. Received: {data.path!r}")
    if data.reader == INGESTED:
        try:
            Manifest.load(path).check_spec(settings.spec)
        except FieldError as error:
            raise ConfigError(f"{path}: spec.{error}") from error
    if exists(path):
        path, name = posixpath.split(path)
        data = dataclasses.replace(data, pattern=name, spans=None)
    if not find_files(f"{path}/{SpanPattern(data.pattern).files if has_spans(data.pattern) else data.pattern}"):
        expected = f"data.pattern should match a file in {path} (*/* or **/* also match files in folders below it)"
        raise FileNotFoundError(f"{expected}. Received: {data.pattern!r}")
    return dataclasses.replace(settings, data=dataclasses.replace(data, path=path))


def newest_spans(settings: Settings) -> tuple[int, ...]:
    """Returns the spans of a located log that a run reads, in ascending order; empty if its pattern has no placeholder.

    Raises:
        ConfigError: If a file's name does not fit the pattern; the message names the file.
        FileNotFoundError: If there is no span.
    """
    data = settings.data
    if not has_spans(data.pattern):
        return ()
    try:
        found = tuple(SpanPattern(data.pattern).find(data.path))
    except ValueError as error:
        raise ConfigError(f"data.pattern: {error}") from error
    if not found:
        raise FileNotFoundError(f"data.pattern should match a span in {data.path}. Received: {data.pattern!r}")
    return found[-(data.spans or len(found)) :]
