"""Record of a run in ML Metadata, which stays when `tfmtl clean` removes the files of its artifacts."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.metadata_store import open_store, run_contexts

_RECORD = "tfmtl_record"
"""Property of a run's context that holds the record as JSON."""

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"


@dataclasses.dataclass(frozen=True)
class Record:
    """Facts about a run.

    Attributes:
        status: `running` until the run ends; a run that was killed stays so. `finished`, `failed` or `interrupted`.
        ended: Time of the end in ISO format; empty before.
        error: Message of the error of a run that failed.
        settings: Settings that differ from the defaults, as plain data.
        spec_hash: Hash of the spec.
        code: Version of the package and hash of the source code of the pipeline.
        spans: Names of the spans of the log.
        rows: Number of rows read, of accepted rows by split, and of rejected rows.
        metrics: Metrics on all test rows, by output and name.
        blessed: Whether the model reached its thresholds; None if it was not evaluated.
        pushed_version: Version that the run pushed; None if it pushed none.
        destination: Base directory of the served model.
    """

    status: str = RUNNING
    ended: str = ""
    error: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    spec_hash: str = ""
    code: str = ""
    spans: tuple[str, ...] = ()
    rows: Mapping[str, int] = dataclasses.field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    blessed: bool | None = None
    pushed_version: str | None = None
    destination: str = ""


def write_record(database: pathlib.Path, record: Record) -> None:
    """Writes the record of the newest run, which replaces an earlier one of that run.

    Args:
        database: SQLite file of the store.
        record: Record of the run.
    """
    store = open_store(database)
    context = run_contexts(store)[-1]
    context.custom_properties[_RECORD].string_value = json.dumps(dataclasses.asdict(record), sort_keys=True)
    store.put_contexts([context])


def read_record(context: mlmd.Context) -> Record | None:
    """Returns the record of a run; None if an earlier version of the package made the run.

    Args:
        context: Context of the run.
    """
    if _RECORD not in context.custom_properties:
        return None
    fields = json.loads(context.custom_properties[_RECORD].string_value)
    names = {field.name for field in dataclasses.fields(Record)}  # A later version may have more.
    known = {name: value for name, value in fields.items() if name in names}
    return Record(**{**known, "spans": tuple(known.get("spans", ()))})
