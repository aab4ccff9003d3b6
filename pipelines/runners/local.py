"""Runs the pipeline on this machine, saying what it does."""

import dataclasses
import pathlib
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import launcher

from pipelines.components.baseline_resolver import BlessedPredecessorStrategy
from pipelines.pipeline import create_data_pipeline, create_pipeline
from pipelines.runners.beam_runner import run_in_process
from pipelines.runners.lineage import Run, latest_run
from pipelines.settings import Settings
from pipelines.terminal import log_level
from tfmtl.config import ConfigError, FieldError
from transforms.ingest.manifest import INGESTED, Manifest
from transforms.storage.files import exists, find_files, is_folder
from transforms.readers.spans import SpanPattern, has_spans

Progress = Callable[[str, str], None]
"""Called with a component's name and "start" or "end"."""


@dataclasses.dataclass(frozen=True)
class RunPaths:
    """Where a run keeps what it makes.

    Attributes:
        root: of it all.
    """

    root: pathlib.Path

    @property
    def artifacts(self) -> pathlib.Path:
        return self.root / "pipeline"

    @property
    def metadata(self) -> pathlib.Path:
        return self.root / "metadata.sqlite"

    def serving(self, model_name: str) -> pathlib.Path:
        """The base directory of a served model: one folder a version."""
        return self.root / "serving" / model_name


def run_pipeline(
    settings: Settings,
    paths: RunPaths,
    progress: Progress | None = None,
    cache: bool = True,
    data_only: bool = False,
) -> Run:
    """Runs the pipeline with TFX's `LocalDagRunner`.

    Args:
        settings: of the experiment; `settings.data.path` is the log's folder, or one file of it.
        paths: where to keep everything.
        progress: is told when a component starts and ends.
        cache: uses outputs of an earlier run with the same inputs, parameters and code.
        data_only: runs ExampleGen .. Transform, and trains nothing.

    Returns:
        What was run, and the artifacts it made.

    Raises:
        FileNotFoundError: if the log is not there.
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
    with told(progress), log_level(settings.log_level):
        LocalDagRunner().run(pipeline)
    return latest_run(paths.metadata)


def locate_log(settings: Settings) -> Settings:
    """Settings whose log is an absolute folder and a pattern; a path to one file is taken apart.

    Raises:
        FileNotFoundError: naming the path, if nothing is there or no file matches.
        ConfigError: if an ingested log does not have what the spec names.
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
        expected = f"data.pattern should match a file in {path} (in folders below it: */* or **/*)"
        raise FileNotFoundError(f"{expected}. Received: {data.pattern!r}")
    return dataclasses.replace(settings, data=dataclasses.replace(data, path=path))


def newest_spans(settings: Settings) -> tuple[int, ...]:
    """The spans of a located log that a run takes; none where its pattern has no placeholders.

    Raises:
        ConfigError: naming the file, if its name does not fit.
        FileNotFoundError: if there is no span.
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


@contextmanager
def told(progress: Progress | None) -> Iterator[None]:
    """Tells `progress` when the launcher of a component begins and ends."""
    if progress is None:
        yield
        return
    launch = launcher.Launcher.launch

    def told(self):
        name = self._pipeline_node.node_info.id
        progress(name, "start")
        try:
            return launch(self)
        finally:
            progress(name, "end")

    launcher.Launcher.launch = told
    try:
        yield
    finally:
        launcher.Launcher.launch = launch
