"""Record of a run in ML Metadata, written when the run begins and when it ends."""

import contextlib
import dataclasses
import datetime
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence

from pipelines.code_hash import code_hash
from pipelines.components.example_gen import LogExampleGen, ingest_report
from pipelines.errors import user_message
from pipelines.evaluation.results import OVERALL, read_metrics
from pipelines.runners.history.record import FAILED, FINISHED, INTERRUPTED, Record, write_record
from pipelines.runners.lineage import Run, latest_run
from pipelines.settings import Settings
from tfmtl import __version__
from tfmtl.config import to_plain
from transforms.readers.spans import SpanPattern

_METRICS = ("auc", "calibration", "nmae", "smape", "gini", "rows")


@contextlib.contextmanager
def recorded_run(
    settings: Settings, spans: Sequence[int], database: pathlib.Path, destination: str
) -> Iterator[Callable[[], None]]:
    """Context manager that records the run in its block, also if it ends with an error.

    Args:
        settings: Settings of the experiment.
        spans: Spans of the log.
        database: SQLite file of the ML Metadata store.
        destination: Base directory of the served model; empty if no model is trained.

    Yields:
        A function to call once the store holds the run.
    """
    names = tuple(SpanPattern(settings.data.pattern).name(span) for span in spans)
    record = Record(
        settings=to_plain(settings),
        spec_hash=settings.spec.hash,
        code=f"{__version__} {code_hash('pipelines.pipeline')}",
        spans=names,
        destination=destination,
    )
    started = False

    def start() -> None:
        nonlocal started
        if not started:
            write_record(database, record)
        started = True

    try:
        yield start
    except BaseException as error:
        if started:
            interrupted = isinstance(error, KeyboardInterrupt)
            message = "" if interrupted else user_message(error) or f"{type(error).__name__}: {error}"
            status = INTERRUPTED if interrupted else FAILED
            failed = dataclasses.replace(record, status=status, error=message.partition("\n")[0])
            with contextlib.suppress(Exception):  # The disk may be full, which is the error to report.
                _end(database, failed)
        raise
    if started:
        _end(database, _with_results(record, settings, latest_run(database)))


def _end(database: pathlib.Path, record: Record) -> None:
    ended = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
    write_record(database, dataclasses.replace(record, ended=ended))


def _with_results(record: Record, settings: Settings, run: Run) -> Record:
    report = ingest_report(run.uri(LogExampleGen.__name__, "examples")).total
    rows = {"read": report.read, **report.accepted, "rejected": sum(report.rejected.values())}
    record = dataclasses.replace(record, status=FINISHED, rows=rows)
    if "Evaluator" not in run.steps:
        return record
    metrics = {
        row.output.name: {name: getattr(row, name) for name in _METRICS if not math.isnan(getattr(row, name))}
        for row in read_metrics(settings.spec, run.uri("Evaluator", "evaluation"))
        if row.slice == OVERALL
    }
    return dataclasses.replace(record, metrics=metrics, blessed=run.blessed, pushed_version=run.pushed_version)
