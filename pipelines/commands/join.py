"""Command `tfmtl join`: labels impressions with the clicks and conversions of other logs, and writes them by day."""

import filecmp
import json
import os
import pathlib
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from rich.table import Table

from pipelines.beam_runner import with_runner
from pipelines.beam_workers import Workers, reading_threads, worker_arguments
from pipelines.output.invocation import present
from pipelines.progress.reading import ReadingProgress
from pipelines.settings import Settings
from pipelines.settings_file import load_settings
from pipelines.terminal import working
from tfmtl.config import ConfigError
from transforms.batches.columns import raw_columns
from transforms.join.beam_join import DAYS, REJECTS, REPORT, JoinFiles
from transforms.join.join_partition import IMPRESSIONS, label_columns
from transforms.join.options import CLICK, CONVERSION, JoinOptions
from transforms.join.partition_files import choose_partitions
from transforms.join.report import COPIES, EXPLANATIONS, OPEN, POSITIVE, READ
from transforms.readers.divide_file import choose_range_bytes
from transforms.readers.file_selection import expand
from transforms.readers.hive_partitions import folder_columns
from transforms.readers.registry import column_names
from transforms.storage.atomic import UNFINISHED, remove_unfinished
from transforms.storage.files import list_folder, sizes

REJECTS_FILE = "rejects.jsonl"
"""Name of the file of rejected rows."""
PATTERN = "{YYYY}-{MM}-{DD}/*.parquet"
"""Pattern of the files that are written, for `data.pattern`."""


def join_logs(settings_path: str, raw: str, out: str, workers: int | None = None) -> None:
    """Writes the labelled impressions as `DAY/part-NUMBER.parquet`, and prints what became of the events.

    Files of an earlier call whose rows are the same remain, with their times of modification, so that a pipeline takes
    their spans from its cache. `join.json`, with the counts, is removed before the first file is replaced and written
    last. A call that was interrupted leaves `.unfinished`, which the next call replaces.

    Args:
        settings_path: Path of the settings file.
        raw: Folder of the logs.
        out: Folder to write to: a new one, or that of an earlier call.
        workers: Number of workers; None for that of the settings.

    Raises:
        ConfigError: If the settings have no `join`, if columns of the spec are missing, if the folder has other files,
            or if there is no valid impression; in the last case, `.unfinished/rejects.jsonl` holds the rejected rows,
            and the rows of an earlier call remain.
        FileNotFoundError: If a log has no files.
        LogError: If a file cannot be read.
    """
    settings = load_settings(settings_path)
    options = settings.join
    if options is None:
        raise ConfigError(f"{settings_path}: join: should be given. Received: None")
    if "://" in out:
        raise ConfigError(f"--out should be a local folder, or one on a mounted volume. Received: {out}")
    raw, folder = os.path.abspath(os.path.expanduser(raw)), pathlib.Path(os.path.abspath(out))
    _check_folder(folder, raw)
    files = _files(settings_path, options, raw)
    keep = kept_columns(options, files[IMPRESSIONS][0], raw)
    _check_columns(settings_path, settings, options, keep, files[IMPRESSIONS][0])
    remove_unfinished(folder)
    staging = folder / UNFINISHED
    start = time.perf_counter()
    with working("joining ..."):
        _run(settings, options, keep, raw, files, staging, workers if workers is not None else settings.workers)
    found = json.loads((staging / REPORT).read_text(encoding="utf-8"))
    has_rejects = _join_rejects(staging)
    if not found["rows"]:
        _show(found, options)
        where = f"; see {staging / REJECTS_FILE}" if has_rejects else ""
        raise ConfigError(f"{raw}: should have impressions that can be joined. Received: none{where}")
    rejects = folder / REJECTS_FILE if has_rejects else None
    for name in (REPORT, REJECTS_FILE):
        (folder / name).unlink(missing_ok=True)
    unchanged = _move_days(staging / DAYS, folder)
    if rejects:
        (staging / REJECTS_FILE).replace(rejects)
    (staging / REPORT).replace(folder / REPORT)
    remove_unfinished(folder)
    seconds = time.perf_counter() - start
    _show(found, options)
    rate = f"{found['rows']:,} rows of {len(found['days'])} days in {seconds:.1f} s"
    lines = [f"rejected rows with file, line and reason: {rejects}"] if rejects else []
    lines += [f"{unchanged:,} files are those of the earlier call"] if unchanged else []
    document = {"join": found, "seconds": seconds, "log": folder, "pattern": PATTERN, "rejects": rejects}
    present(document, *lines, f"{rate} -> {folder}/{PATTERN}")


def kept_columns(options: JoinOptions, path: str, root: str) -> tuple[str, ...]:
    """Returns the columns of the impressions that are written.

    Args:
        options: Options of the join.
        path: First file of the impressions.
        root: Folder of the logs.

    Returns:
        Those of the options; if there are none, all columns of the file and of its folders' names.
    """
    if options.keep:
        return options.keep
    log = options.impressions
    names = {source: name for name, source in log.columns.items()}
    found = [*(column_names(path, log.log_format) or []), *folder_columns(path, root)]
    return tuple(dict.fromkeys(names.get(name, name) for name in found))


def _files(settings_path: str, options: JoinOptions, raw: str) -> dict[str, list[str]]:
    files = {}
    for name, log in options.logs.items():
        try:
            files[name] = expand(log.reader, f"{raw}/{log.pattern}")
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{settings_path}: join.{name}.pattern {error}") from error
    return files


def _check_folder(folder: pathlib.Path, raw: str) -> None:
    if os.path.commonpath([raw, folder]) == str(folder):
        raise ConfigError(f"--out should be another folder than that of --raw. Received: {folder}")
    names = list_folder(str(folder))
    if names and not {REPORT, UNFINISHED} & set(names):
        expected = f"--out should be a new folder, or one that tfmtl join has written (with {REPORT})"
        raise ConfigError(f"{expected}. Received: {folder}, which has {names[0]}")


def _check_columns(
    settings_path: str, settings: Settings, options: JoinOptions, keep: Sequence[str], path: str
) -> None:
    added = label_columns(options)
    for name in keep:
        if name in added:
            expected = f"join.keep should be without {name}, which the join adds"
            raise ConfigError(f"{settings_path}: {expected}. Received: {', '.join(keep)} (columns of {path})")
    for name in raw_columns(settings.spec):
        if name not in (*keep, *added):
            expected = f"spec: should have columns of {path} or of the join ({', '.join(added)})"
            raise ConfigError(f"{settings_path}: {expected}. Received: {name}")


def _run(
    settings: Settings,
    options: JoinOptions,
    keep: tuple[str, ...],
    raw: str,
    files: Mapping[str, Sequence[str]],
    staging: pathlib.Path,
    workers: Workers,
) -> None:
    total = sum(sum(sizes(paths)) for paths in files.values())
    arguments = [*worker_arguments(workers, total, settings.beam_pipeline_args), *settings.beam_pipeline_args]
    numbered = [((log, number), (path,)) for log, paths in files.items() for number, path in enumerate(paths)]
    with beam.Pipeline(options=PipelineOptions(with_runner(arguments))) as pipeline:
        join = JoinFiles(
            options,
            keep,
            raw,
            str(staging),
            choose_partitions(total),
            choose_range_bytes(total),
            reading_threads(arguments),
            ReadingProgress(total),
        )
        _ = pipeline | beam.Create(numbered) | join


def _join_rejects(staging: pathlib.Path) -> bool:
    """Joins the files of rejected rows to one, by the name of the log, and returns whether there are any."""
    parts = sorted((staging / REJECTS).glob("*.jsonl"))
    if parts:
        with (staging / REJECTS_FILE).open("wb") as target:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, target)
    return bool(parts)


def _move_days(days: pathlib.Path, folder: pathlib.Path) -> int:
    """Moves the new files to their places, removes those of an earlier call, and returns how many are the same."""
    new = {path.relative_to(days) for path in days.rglob("*.parquet")}
    old = {path.relative_to(folder) for path in folder.glob("[0-9]*-[0-9]*-[0-9]*/part-*.parquet")}
    for path in old - new:
        (folder / path).unlink()
        if not list_folder(str((folder / path).parent)):
            (folder / path).parent.rmdir()
    unchanged = 0
    for path in sorted(new):
        if path in old and filecmp.cmp(days / path, folder / path, shallow=False):
            unchanged += 1
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (days / path).replace(folder / path)
    return unchanged


def _show(found: Mapping[str, Any], options: JoinOptions) -> None:
    present({}, _events_table(found, options))
    if found["rows"]:
        present({}, _rows_table(found))


def _events_table(found: Mapping[str, Any], options: JoinOptions) -> Table:
    logs = list(options.logs)
    table = Table(title="Events", title_justify="left")
    table.add_column("")
    for log in logs:
        table.add_column(log, justify="right")
    table.add_column("")
    for kind, explanation in EXPLANATIONS.items():
        counts = [found["events"].get(log, {}).get(kind, 0) for log in logs]
        if any(counts) or kind == READ:
            table.add_row(kind, *(f"{count:,}" if count else "" for count in counts), explanation)
    return table


def _rows_table(found: Mapping[str, Any]) -> Table:
    copies = {label: counts.get(COPIES, 0) for label, counts in found["labels"].items()}
    impressions = found["rows"] - sum(copies.values())
    table = Table(title=f"{impressions:,} labelled impressions", title_justify="left")
    for column in ("label", POSITIVE, "rate", OPEN, "share open", *([COPIES] if any(copies.values()) else [])):
        table.add_column(column, justify="left" if column == "label" else "right")
    for label in (CLICK, CONVERSION):
        if label in found["labels"]:
            counts = found["labels"][label]
            positive, is_open = counts.get(POSITIVE, 0), counts.get(OPEN, 0)
            shares = [f"{count / impressions:.3%}" for count in (positive, is_open)]
            copied = [f"{copies[label]:,}"] if any(copies.values()) else []
            table.add_row(label, f"{positive:,}", shares[0], f"{is_open:,}", shares[1], *copied)
    return table
