"""Command `tfmtl score`: scores the rows of files with an exported model, without a server."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import sys
import tempfile
import time
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from rich.table import Table

from pipelines.batch_scoring.beam_scores import FilePair, ScoreFiles
from pipelines.batch_scoring.file_pairs import REJECTS, file_pairs, log_root, target_kind
from pipelines.batch_scoring.report import ScoreReport
from pipelines.batch_scoring.writers import WRITERS
from pipelines.beam_runner import with_runner
from pipelines.commands.predict import load_spec_and_format
from pipelines.output.invocation import present
from pipelines.pushing.destination import is_complete, versions
from pipelines.terminal import console, working
from tfmtl.config import ConfigError
from transforms.batches.reasons import REASONS
from transforms.readers.file_selection import expand
from transforms.readers.log_format import AUTO, LogFormat
from transforms.storage.atomic import atomic_dir, atomic_file
from transforms.storage.files import exists, list_folder, move, open_file, remove

_FILE_NAME = re.compile(r"\.[a-z]+\d?$")
"""End of a name that is that of a file."""


@dataclasses.dataclass(frozen=True)
class ScoreOptions:
    """Options of the command.

    Attributes:
        model: Folder of the SavedModel, or of its versions, of which the newest is used.
        data: File, folder or pattern of the rows.
        out: File to write, by whose extension its format is chosen, or folder.
        format: Format of the files in a folder; None for that of each file of `data`.
        settings: Settings of the model, for the format of the rows; None for the format in the model's description.
        workers: Number of processes.
    """

    model: str
    data: str
    out: str
    format: str | None = None
    settings: str | None = None
    workers: int = 1


def score_files(options: ScoreOptions) -> None:
    """Scores the rows of files, and prints the number of rows and of rejected rows by reason.

    A file is written for each file of the data, with all of its columns and the scores behind them, in the order of its
    rows. Invalid rows have no scores; they are written to files of JSON lines beside the scores.

    Args:
        options: Options of the command.

    Raises:
        ConfigError: If the model, the data or the options are not valid, or no row is.
        LogError: If a file cannot be read.
    """
    if "://" not in options.data:
        options = dataclasses.replace(options, data=os.path.abspath(options.data))
    model = _model_folder(options.model)
    log_format = load_spec_and_format(options.settings)[1] if options.settings else None
    sources = _sources(options, log_format)
    start = time.perf_counter()
    with _targets(options, sources, log_format.reader if log_format else AUTO) as pairs:
        report = _score(options, model, log_format, pairs, log_root(options.data))
        if report.read and not report.scored:
            raise ConfigError(f"{options.data}: should have a valid row. Received: {_first_reject(pairs, report)}")
    _print(options, report, time.perf_counter() - start, os.path.basename(model))


def _model_folder(folder: str) -> str:
    """Returns the folder of a SavedModel, or that of the newest complete version in it."""
    folder = os.path.abspath(folder)
    for candidate in (folder, *reversed(versions(folder).values())):
        if is_complete(candidate):
            return candidate
    expected = f"{folder} should be the folder of a SavedModel, or have one for each version, such as 1795853324"
    raise ConfigError(f"{expected}, with all files of its manifest. Received: none")


def _sources(options: ScoreOptions, log_format: LogFormat | None) -> list[str]:
    sources = expand(log_format.reader if log_format else AUTO, options.data)
    out = os.path.abspath(options.out)
    for source in sources:
        if os.path.abspath(source) == out or os.path.abspath(source).startswith(out + os.sep):
            raise ConfigError(f"--out should be another file or folder than that of --data. Received: {options.out}")
    return sources


@contextlib.contextmanager
def _targets(options: ScoreOptions, sources: list[str], reader: str) -> Iterator[list[FilePair]]:
    """Yields the pairs of files; a folder has its final name when the block ends."""
    kind = target_kind(options.out)
    if kind:
        if options.format:
            raise ConfigError(f"--format should be given with a folder only. Received: --out {options.out}")
        if len(sources) > 1:
            expected = f"--out should be a folder, because --data stands for {_files(len(sources))}"
            raise ConfigError(f"{expected}. Received: {options.out}")
        with atomic_file(options.out) as staged:
            yield [FilePair(sources[0], staged, kind, staged + REJECTS)]
            remove(options.out + REJECTS)  # That of an earlier call.
            if exists(staged + REJECTS):
                move(staged + REJECTS, options.out + REJECTS)
        return
    if "://" in options.out:
        raise ConfigError(f"--out should be a local folder, or a file. Received: {options.out}")
    if os.path.isfile(options.out) or _FILE_NAME.search(options.out):
        raise ConfigError(f"--out should end in {', '.join(WRITERS)}, or be a folder. Received: {options.out}")
    if list_folder(options.out):  # The whole folder is replaced, and nobody's files are removed.
        raise ConfigError(f"--out should be a new or an empty folder. Received: {options.out}, which has files")
    with atomic_dir(options.out) as folder:
        yield file_pairs(sources, str(folder), log_root(options.data), reader, options.format)


def _score(
    options: ScoreOptions, model: str, log_format: LogFormat | None, pairs: list[FilePair], root: str
) -> ScoreReport:
    arguments = with_runner([])
    if options.workers > 1:
        arguments += ["--direct_running_mode=multi_processing", f"--direct_num_workers={options.workers}"]
    with tempfile.TemporaryDirectory(prefix="tfmtl_score_") as folder:
        path = os.path.join(folder, "report.json")
        with (
            working(f"scoring {_files(len(pairs))} ..."),
            beam.Pipeline(options=PipelineOptions(arguments)) as pipeline,
        ):
            _ = pipeline | beam.Create(pairs) | ScoreFiles(model, log_format, root, path)
        return ScoreReport.from_json(pathlib.Path(path).read_text(encoding="utf-8"))


def _print(options: ScoreOptions, report: ScoreReport, seconds: float, version: str) -> None:
    names = sorted({name for absent in report.absent.values() for name in absent})
    if names:
        files = f"{_files(len(report.absent))}, {min(report.absent)} among them," if len(report.absent) > 1 else ""
        subject = f"{files} have" if files else f"{min(report.absent)} has"
        print(f"Warning: {subject} no column {', '.join(names)}: the value is missing in every row.", file=sys.stderr)
    rate = f"{report.scored / seconds:,.0f} rows/s"
    line = f"{report.scored:,} rows scored by version {version} in {seconds:.1f} s, {rate} -> {options.out}"
    document = {"scored": report.scored, "rejected": report.rejected, "absent": report.absent}
    document |= {"version": version, "seconds": seconds, "out": options.out}
    if not report.rejected:
        present(document, line)
        return
    table = Table(title=f"{report.read - report.scored:,} of {report.read:,} rows have no scores", title_justify="left")
    table.add_column("reason")
    table.add_column("rows", justify="right")
    table.add_column("")
    for reason, count in sorted(report.rejected.items(), key=lambda one: -one[1]):
        table.add_row(reason, f"{count:,}", REASONS.get(reason, ""))
    present(document, line, table)
    beside = f"{options.out}{REJECTS}" if target_kind(options.out) else f"{options.out}/**/*{REJECTS}"
    console.print(f"rejected rows with file, line and reason: {beside}", highlight=False, markup=False)


def _first_reject(pairs: list[FilePair], report: ScoreReport) -> str:
    """Returns the rejected rows by reason, and a line with the first one; removes the files of rejected rows."""
    counts = ", ".join(f"{count:,} rows with {reason}" for reason, count in report.rejected.items())
    paths = [pair.rejects for pair in pairs if exists(pair.rejects)]
    with io.TextIOWrapper(open_file(paths[0]), "utf-8") as file:
        first = json.loads(file.readline())
    for path in paths:
        remove(path)
    return f"{counts}\n{first['source']}:{first['line']}: {first['detail']}"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
