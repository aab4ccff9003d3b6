"""Raw log of an experiment: its folder, files and spans, looked up without TFX."""

import dataclasses
import pathlib
import posixpath
from collections.abc import Sequence

from pipelines.settings import DataSettings, Settings
from tfmtl.config import ConfigError, FieldError
from tfmtl.spec import DatasetSpec
from transforms.ali_ccp.simulator_options import AliCcpOptions
from transforms.ingest.manifest import Manifest
from transforms.readers.log_format import INGESTED
from transforms.readers.spans import SpanPattern, has_spans
from transforms.storage.files import exists, find_files, is_folder, sizes


def locate_log(settings: Settings) -> Settings:
    """Returns settings whose log is an absolute folder and a pattern (`locate_data`).

    Raises:
        FileNotFoundError: If the path does not exist, or no file matches the pattern.
        ConfigError: If an ingested log lacks columns of the spec.
    """
    data = locate_data(settings.data, settings.spec, settings.training.keep_days)
    return dataclasses.replace(settings, data=data)


def locate_data(data: DataSettings, spec: DatasetSpec, keep_days: int | None = None) -> DataSettings:
    """Returns the location of a log as an absolute folder and a pattern; the path of one file is split into the two.

    Args:
        data: Location of the log.
        spec: Spec whose columns an ingested log should have.
        keep_days: The setting `training.keep_days`, which needs a folder of days.

    Raises:
        FileNotFoundError: If the path does not exist, no file matches the pattern, or an ingested log is incomplete.
        ConfigError: If `keep_days` is given and the path is that of one file, or an ingested log lacks columns.
    """
    path = data.path if "://" in data.path else str(pathlib.Path(data.path).expanduser().resolve())
    if not data.path or not (exists(path) or is_folder(path)):
        raise FileNotFoundError(f"data.path should be the folder of the raw log, or a file. Received: {data.path!r}")
    if data.reader == INGESTED:
        try:
            Manifest.load(path).check_spec(spec)
        except FieldError as error:
            raise ConfigError(f"{path}: spec.{error}") from error
    if exists(path):
        if keep_days is not None:
            expected = "data.path should be the folder of the log with training.keep_days, as one file has no day"
            raise ConfigError(f"{expected}. Received: {data.path!r}")
        path, name = posixpath.split(path)
        data = dataclasses.replace(data, pattern=name, spans=None)
    if not find_files(f"{path}/{SpanPattern(data.pattern).files if has_spans(data.pattern) else data.pattern}"):
        expected = f"data.pattern should match a file in {path} (*/* or **/* also match files in folders below it)"
        raise FileNotFoundError(f"{expected}. Received: {data.pattern!r}")
    return dataclasses.replace(data, path=path)


def newest_spans(data: DataSettings, date: str = "") -> tuple[int, ...]:
    """Returns the spans of a located log that a run reads, in ascending order; empty if its pattern has no placeholder.

    Args:
        data: Located log.
        date: Last day to read (`2026-11-29`), or number of the last span; empty for the newest one.

    Raises:
        ConfigError: If a file's name does not fit the pattern, and the message names the file, or if the date is not
            one.
        FileNotFoundError: If there is no span.
    """
    if not has_spans(data.pattern):
        return ()
    pattern = SpanPattern(data.pattern)
    try:
        found = tuple(pattern.find(data.path))
    except ValueError as error:
        raise ConfigError(f"data.pattern: {error}") from error
    if date:
        last = pattern.number(date)
        found = tuple(span for span in found if span <= last)
        if last not in found:
            expected = f"date should be that of files in {data.path}, of the pattern {data.pattern}"
            raise FileNotFoundError(f"{expected}. Received: {date}")
    if not found:
        raise FileNotFoundError(f"data.pattern should match a span in {data.path}. Received: {data.pattern!r}")
    return found[-(data.spans or len(found)) :]


def log_bytes(data: DataSettings, spans: Sequence[int] = ()) -> int:
    """Returns the size in bytes of the files of a located log.

    Args:
        data: Located log.
        spans: Spans that are read, if its pattern has a placeholder.
    """
    patterns = ["Split-*/*"] if data.reader == INGESTED else file_patterns(data, spans)
    return sum(sum(sizes(find_files(f"{data.path}/{pattern}"))) for pattern in patterns)


def file_patterns(data: DataSettings, spans: Sequence[int] = ()) -> list[str]:
    """Returns the patterns of the files that are read, relative to the folder of a located log.

    Args:
        data: Located log.
        spans: Spans that are read, if its pattern has a placeholder.
    """
    if not spans:
        return [data.pattern]
    pattern = SpanPattern(data.pattern)
    versions = pattern.find(data.path)
    return [pattern.span_files(span, versions[span]) for span in spans]


def require_simulator(settings: Settings) -> None:
    """Checks that the log of an experiment can be simulated.

    Args:
        settings: Settings of the experiment.

    Raises:
        FileNotFoundError: If the settings have no simulator, or one of Ali-CCP's raw files, which are ingested first.
    """
    if settings.simulator is None or isinstance(settings.simulator, AliCcpOptions):
        raise FileNotFoundError("--data should be the folder of the raw log, or a file. Received: none")
