"""Checks of a run's files before TFX is imported: the columns of the log, and the folder that is written."""

import os
import pathlib
import posixpath
import tempfile
from collections.abc import Sequence

from pipelines.raw_log import file_patterns, locate_log, newest_spans
from pipelines.settings import KERAS_MODEL, DataSettings, Settings
from pipelines.training_settings import LATEST
from tfmtl.config import ConfigError
from transforms.batches.columns import raw_columns
from transforms.batches.errors import MissingColumnError, check_columns, format_names
from transforms.ingest.ingest_files import ingest
from transforms.readers.divide_file import MIN_RANGE_BYTES, indivisible_reason
from transforms.readers.file_selection import FileSelection, select_files
from transforms.readers.hive_partitions import folder_columns
from transforms.readers.log_format import FOLDER_READERS, INGESTED
from transforms.readers.registry import column_names, resolve_reader
from transforms.storage.files import exists, sizes

_CHECKED_FILES = 100
"""Number of files whose columns are checked; the others are checked when they are read."""
_COLUMN_ADVICE = (
    "If a column has another name in the file, give it in data.columns ({NAME: COLUMN_OF_THE_FILE}); "
    "if the file has no header, give the names in data.header."
)
_WILDCARDS = "*?[]"


def check_log(settings: Settings) -> list[str]:
    """Checks that the log exists, and that its files have the columns of the spec.

    The first rows of the first file are read and validated as a run does it; of the others, up to 100, only the names
    of their columns are read.

    Args:
        settings: Settings of the experiment.

    Returns:
        One line for each reason for which files of the log are not read, or are read as a whole by one worker.

    Raises:
        FileNotFoundError: If the log does not exist or has no data.
        ConfigError: If the log does not fit the settings.
        LogError: If a file cannot be read, or lacks a column of the spec.
    """
    settings = locate_log(settings)
    spans, data = newest_spans(settings.data), settings.data
    if data.reader in (*FOLDER_READERS, INGESTED):
        return []
    try:
        selections = [select_files(data.reader, f"{data.path}/{pattern}") for pattern in file_patterns(data, spans)]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"--data {error}") from error
    paths = [path for selection in selections for path in selection.paths]
    columns = raw_columns(settings.spec)
    try:
        next(ingest(paths[:1], settings.spec, data.log_format, data.path), None)
        for path in paths[1:_CHECKED_FILES]:
            _check_file(path, columns, data)
    except MissingColumnError as error:
        if "data.delimiter" in str(error):
            raise
        raise MissingColumnError(f"{error} {_COLUMN_ADVICE}") from error
    ignored = {path: reason for selection in selections for path, reason in selection.ignored.items()}
    return [*FileSelection(paths, ignored).ignored_lines(), *_indivisible_lines(paths, data)]


def _indivisible_lines(paths: Sequence[str], data: DataSettings) -> list[str]:
    """Returns one line for each reason for which large files are read from beginning to end by one worker each."""
    large = [path for path, size in zip(paths, sizes(paths), strict=True) if size >= 2 * MIN_RANGE_BYTES]
    reasons = {path: indivisible_reason(path, data.log_format) for path in large}
    lines = []
    for reason in sorted(set(filter(None, reasons.values()))):
        names = [posixpath.basename(path) for path, why in reasons.items() if why == reason]
        lines.append(f"read by one worker each, as {reason} cannot be divided: {format_names(names)}")
    return lines


def check_warm_start(settings: Settings) -> None:
    """Checks that the folder of the initial weights holds a model.

    Args:
        settings: Settings of the experiment.

    Raises:
        FileNotFoundError: If the folder of `training.warm_start` holds no model.
    """
    folder = settings.training.warm_start
    if folder not in (None, LATEST) and not exists(f"{folder}/{KERAS_MODEL}"):
        expected = f"latest, or a folder with a {KERAS_MODEL}, such as OUT/pipeline/Trainer/model_run/5"
        raise FileNotFoundError(f"training.warm_start should be {expected}. Received: {folder!r}")


def check_out(path: str | os.PathLike[str]) -> None:
    """Creates the folder that a run writes to, and checks that files can be written there.

    Args:
        path: Path of the folder.

    Raises:
        ConfigError: If the path has a character that TFX takes for a part of a pattern.
        OSError: If the folder or a file in it cannot be written.
    """
    found = [sign for sign in _WILDCARDS if sign in os.path.abspath(path)]
    if found:
        expected = "--out should be a path without *, ?, [ and ], which TFX takes for parts of a pattern"
        raise ConfigError(f"{expected}. Received: {os.path.abspath(path)!r}")
    pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path, prefix=".tfmtl_") as file:
        file.write(b"tfmtl")


def _check_file(path: str, columns: Sequence[str], data: DataSettings) -> None:
    """Checks the names of a file's columns; a tf.Example may lack a feature."""
    names = column_names(path, data.log_format)
    if names is None or resolve_reader(data.reader, path) == "tfrecord":
        return
    in_folders = folder_columns(path, data.path)
    sources = dict.fromkeys(data.log_format.source(column) for column in columns)
    check_columns(path, names, [source for source in sources if source not in in_folders])
