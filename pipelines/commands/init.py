"""Command `tfmtl init`: profiles a log and writes settings for it."""

import dataclasses
import os
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from pipelines.init.defaults import min_frequency, model_defaults, threshold_defaults, training_defaults
from pipelines.init.features import ColumnDecision, decide
from pipelines.init.list_weights import pair_weights
from pipelines.init.names import unique_names
from pipelines.init.settings_text import settings_text
from pipelines.init.splits import decide_split
from pipelines.init.task_arguments import LabelledTask, order_tasks, read_task
from pipelines.output.invocation import present
from pipelines.settings_file import load_settings
from pipelines.terminal import console
from tfmtl.config import ConfigError, FieldError
from transforms.batches.errors import LogError, check_columns
from transforms.batches.raw_batch import RawBatch
from transforms.profile.columns import ColumnProfile, profile_column
from transforms.profile.sample import SAMPLE_ROWS, LogSample, read_sample
from transforms.readers.log_format import LogFormat
from transforms.storage.atomic import atomic_file

_GROUP_NAMES = ("user_id", "userid", "uid", "user", "customer_id", "customer", "member_id", "visitor_id", "device_id")


@dataclasses.dataclass(frozen=True)
class InitArguments:
    """Arguments of `tfmtl init`.

    Attributes:
        log: File, folder or pattern of the log.
        tasks: Tasks as given on the command line.
        out: File to write.
        scenario: Column by whose values results are reported; None for none.
        group: Column by which GAUC groups rows; None to look for a user's id.
        time: Column that the split is by; None to look for one; empty for a random split.
        keep: Columns that are used although they look like leaks, are constant or unique.
        drop: Columns that are not used.
        log_format: Format of the log, with the fields that are known.
        rows: Largest number of rows of the sample.
        overwrite: Replace the file to write if it exists.
    """

    log: str
    tasks: tuple[str, ...]
    out: str
    scenario: str | None = None
    group: str | None = None
    time: str | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    log_format: LogFormat = dataclasses.field(default_factory=LogFormat)
    rows: int = SAMPLE_ROWS
    overwrite: bool = False


def init_settings(arguments: InitArguments) -> None:
    """Writes settings for a log, and prints the profile of its columns and the decisions.

    Args:
        arguments: Arguments of the command.

    Raises:
        LogError: If the log cannot be read, or a column that is named is missing or unsuitable.
        FileNotFoundError: If there is no log.
    """
    if not arguments.overwrite and os.path.exists(arguments.out):
        raise ConfigError(f"--out should be a new file (or use --overwrite). Received: {arguments.out}, which exists")
    root, pattern = _locate(arguments.log)
    try:
        sample = read_sample(arguments.log, arguments.log_format, root, arguments.rows)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"LOG {error}") from error
    batch = RawBatch(sample.columns, np.arange(1, sample.columns.num_rows + 1), arguments.log)
    columns = sample.columns.column_names
    named = [arguments.scenario, arguments.group, arguments.time, *arguments.keep, *arguments.drop]
    check_columns(arguments.log, columns, [name for name in named if name])
    tasks, sentences = order_tasks([read_task(argument, batch) for argument in arguments.tasks])
    decisions, names = _decide_columns(arguments, sample, batch, tasks)
    by_name = {one.column.name: one for one in decisions}
    labels = {one.task.name: one.labels for one in tasks if one.is_binary}
    times = [one.column for one in decisions if one.column.kind == "time" and one.column.name not in arguments.drop]
    if arguments.time is not None:
        times = [one for one in times if one.name == arguments.time]
        if arguments.time and not times:
            top = ", ".join(value for value, _ in by_name[arguments.time].column.top)
            raise LogError(f"--time {arguments.time}: should be a column of times. Received: {top}")
    split, sentence = decide_split(
        times, names, labels, is_prefix=not sample.is_whole and _is_one_stream(arguments.log)
    )
    group = arguments.group or next((name for name in columns if name.lower() in _GROUP_NAMES), None)
    null = sorted({token for one in decisions for token, _ in one.column.null_tokens})
    mapping = {name: column for column, name in names.items() if name != column}
    mapping |= {one.task.label: one.column for one in tasks if one.task.label != one.column}
    log_format = dataclasses.replace(sample.log_format, null=tuple(null), columns=mapping)
    name = pathlib.Path(arguments.out).stem
    rows = "" if sample.is_whole else "about "
    notes = [f"The log has {rows}{sample.rows:,} rows, of which {sample.columns.num_rows:,} were looked at.", sentence]
    text = settings_text(
        "tfmtl init " + shlex.join(sys.argv[2:]) if sys.argv[1:2] == ["init"] else "tfmtl init",
        name,
        decisions,
        [one.task for one in tasks],
        split,
        {"path": root, "pattern": pattern},
        log_format,
        model_defaults(tasks),
        training_defaults(sample.rows, tasks),
        threshold_defaults(tasks, sample.rows),
        [*sample.decisions, *notes, *sentences],
        names.get(arguments.scenario) if arguments.scenario else None,
        names.get(group) if group else None,
    )
    with atomic_file(os.path.abspath(arguments.out)) as path:
        pathlib.Path(path).write_text(text, encoding="utf-8")
        load_settings(path)
    _report(arguments, sample, decisions, tasks, [*sample.decisions, *notes, *sentences])


def read_format(reader: str, delimiter: str, header: str, encoding: str) -> LogFormat:
    r"""Returns the format that the command line gives.

    Args:
        reader: Name of the reader.
        delimiter: Character between two values; empty to detect it. `\t` is a tab.
        header: Names of the columns with commas between them, or a file with one name per line; empty if the files have
            a header.
        encoding: Encoding of the text.

    Raises:
        ConfigError: If a value is not valid.
    """
    names = (
        pathlib.Path(header).read_text(encoding="utf-8").splitlines() if os.path.isfile(header) else header.split(",")
    )
    stripped = tuple(name.strip() for name in names if name.strip())
    try:
        return LogFormat(reader, delimiter.replace("\\t", "\t"), encoding=encoding, header=stripped)
    except FieldError as error:
        raise ConfigError(f"--{error}") from error


def _locate(log: str) -> tuple[str, str]:
    """Returns the absolute folder of a log and the pattern of its files in it."""
    path = log if "://" in log else os.path.abspath(os.path.expanduser(log))
    if os.path.isdir(path):
        return path, "*"
    folder, name = path.rsplit("/", 1)
    while any(sign in folder for sign in "*?[") and not os.path.isdir(folder):
        folder, part = folder.rsplit("/", 1)
        name = f"{part}/{name}"
    return folder or "/", name


def _is_one_stream(log: str) -> bool:
    """Returns whether the sample of a log that is not read as a whole may be its first rows."""
    return log.endswith((".gz", ".bz2", ".zst")) or "tfrecord" in log


def _decide_columns(
    arguments: InitArguments, sample: LogSample, batch: RawBatch, tasks: Sequence[LabelledTask]
) -> tuple[list[ColumnDecision], dict[str, str]]:
    label_columns = {one.column for one in tasks}
    columns = [name for name in sample.columns.column_names if name not in label_columns]
    names = unique_names(columns, {one.task.label for one in tasks})
    labels = {one.task.name: one.labels for one in tasks if one.is_binary}
    frequency = min_frequency(sample.rows)
    decisions = []
    for name in columns:
        column = batch.column(name)
        profile = profile_column(name, column)
        if name in arguments.drop:
            decisions.append(ColumnDecision(profile, None, "left out by --drop"))
            continue
        keep = name in arguments.keep or name == arguments.scenario
        is_category = name == arguments.scenario
        decisions.append(decide(profile, column, names[name], labels, frequency, keep, is_category))
    if not any(one.feature for one in decisions):
        raise LogError(f"{arguments.log}: should have at least one usable column besides the labels (see --keep)")
    return pair_weights(decisions, batch), names


def _report(
    arguments: InitArguments,
    sample: LogSample,
    decisions: Sequence[ColumnDecision],
    tasks: Sequence[LabelledTask],
    sentences: Sequence[str],
) -> None:
    for line in sample.ignored:
        console.print(line, highlight=False)
    document = {
        "settings": arguments.out,
        "rows": sample.rows,
        "sampled_rows": sample.columns.num_rows,
        "columns": [_record(one) for one in decisions],
        "tasks": [
            {"name": one.task.name, "rows": len(one.labels), "positives": one.positives, "missing": one.missing}
            for one in tasks
        ],
        "decisions": sentences,
    }
    present(document, _table(decisions))
    for task in tasks:
        share = f"{task.positives:,} of {len(task.labels):,} rows ({task.positives / len(task.labels):.1%})"
        missing = (
            f", {task.missing:,} missing (rejected, unless the previous event did not happen)" if task.missing else ""
        )
        console.print(f"task {task.task.name}: positive in {share}{missing}", highlight=False, markup=False)
    for sentence in sentences:
        console.print(sentence, highlight=False, markup=False)
    if leaks := [one.column.name for one in decisions if one.is_leak]:
        message = f"Warning: {', '.join(leaks)}: left out, as they look like leaks (see above; --keep NAME uses one)."
        console.print(message, style="yellow", highlight=False, markup=False)
    console.print(f"settings -> {arguments.out}", highlight=False, markup=False)
    console.print(f"next: tfmtl run {shlex.quote(arguments.out)}", highlight=False, markup=False)


def _record(one: ColumnDecision) -> dict[str, Any]:
    """Returns what the table says about a column as plain data."""
    column = one.column
    return {
        "column": column.name,
        "values": column.kind,
        "missing": column.missing / column.rows,
        "null_tokens": {token: count / column.rows for token, count in column.null_tokens},
        "distinct": column.distinct,
        "most_frequent": {value: count / column.rows for value, count in column.top},
        "used_as": one.feature.kind if one.feature else None,
        "because": one.reason,
        "is_leak": one.is_leak,
    }


def _table(decisions: Sequence[ColumnDecision]) -> Table:
    table = Table(title="Columns", title_justify="left")
    for header in ("column", "values", "missing", "distinct", "most frequent", "used as", "because"):
        table.add_column(header, justify="right" if header in ("missing", "distinct") else "left")
    for one in decisions:
        column = one.column
        kind = one.feature.kind if one.feature else "-"
        cells = (column.name, column.kind, _missing(column), f"{column.distinct:,}", _top(column), kind, one.reason)
        table.add_row(*map(escape, cells), style="yellow" if one.is_leak else None)
    return table


def _missing(column: ColumnProfile) -> str:
    parts = [f"{column.missing / column.rows:.1%}"] if column.missing else []
    parts += [f"{count / column.rows:.1%} {token}" for token, count in column.null_tokens]
    return ", ".join(parts)


def _top(column: ColumnProfile) -> str:
    return ", ".join(f"{value[:24]} {count / column.rows:.0%}" for value, count in column.top)
