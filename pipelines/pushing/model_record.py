"""Records of pushed models, in the base directory of the served model: what they were trained on and how they passed.

A pipeline without a store of metadata, as on Kubeflow, finds there the model with which a new one is compared, and the
one from which a training starts.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.pushing.destination import fingerprint, is_complete, versions
from pipelines.pushing.rolled_back import read_rolled_back
from transforms.storage.atomic import atomic_file
from transforms.storage.files import copy_file, exists, list_folder, read_text, remove, write_text

RECORDS = ".models"
"""Name of the folder of all records, which no server takes for a version."""
RECORD = "record.json"
MODEL_RUN, TOKEN_COUNTS, STATISTICS, LOG = "model_run", "token_counts", "statistics", "log"
"""Folders of a record: the Keras model with its vocabularies, the counts of tokens that vocabularies continue, the
statistics of the log's sample, and the report of its rows."""


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """Record of a model that was pushed.

    Attributes:
        fingerprint: Fingerprint of the model (`serving.export.fingerprint`).
        spec: Hash of the spec (`spec_hash`).
        span: Last span of the log that it was trained on; 0 if the log has no spans.
        log: Fingerprint of the files of that log.
        time: Time of the push, in ISO format.
        metrics: Metrics on the test split by output.
        gates: Gates that it passed, or that were not judged, as in `gates.json` of the Evaluator.
    """

    fingerprint: str
    spec: str
    span: int
    log: str
    time: str
    metrics: Mapping[str, Mapping[str, float | None]]
    gates: Sequence[Mapping[str, Any]]


def spec_hash(spec: str) -> str:
    """Returns a hash of a spec, 16 hexadecimal digits.

    Args:
        spec: Spec as JSON text with sorted keys.
    """
    return hashlib.sha256(spec.encode()).hexdigest()[:16]


def record_folder(base_directory: str, fingerprint: str) -> str:
    """Returns the folder of the record of a model.

    Args:
        base_directory: Folder with one folder per version, local or on an object store.
        fingerprint: Fingerprint of the model.
    """
    return f"{base_directory.rstrip('/')}/{RECORDS}/{fingerprint}"


def write_record(base_directory: str, record: ModelRecord, files: Mapping[str, str]) -> None:
    """Writes the record of a model, before the model is pushed.

    Args:
        base_directory: Folder with one folder per version, local or on an object store.
        record: The record.
        files: Files to copy beside it, by path in the folder of the record, below one of the folders above.
    """
    target = record_folder(base_directory, record.fingerprint)
    remove(target)  # A push that was interrupted may have left a part.
    for name, source in files.items():
        copy_file(source, f"{target}/{name}")
    with atomic_file(f"{target}/{RECORD}") as temporary:
        write_text(temporary, json.dumps(dataclasses.asdict(record), indent=1))


def read_record(base_directory: str, fingerprint: str | None) -> ModelRecord | None:
    """Returns the record of a model; None if there is none.

    Args:
        base_directory: Folder with one folder per version, local or on an object store.
        fingerprint: Fingerprint of the model; None if it has none.
    """
    path = f"{record_folder(base_directory, fingerprint or '')}/{RECORD}"
    return ModelRecord(**json.loads(read_text(path))) if fingerprint and exists(path) else None


def served_model(base_directory: str) -> str | None:
    """Returns the folder of the newest complete version; None if there is none.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
    """
    newest_first = reversed(list(versions(base_directory).values()))
    return next(filter(is_complete, newest_first), None)


def served_record(base_directory: str) -> ModelRecord | None:
    """Returns the record of the served model; None if there is no such model, or it has no record.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
    """
    served = served_model(base_directory)
    return None if served is None else read_record(base_directory, fingerprint(served))


def earlier_record(base_directory: str, span: int | None, log: str) -> ModelRecord | None:
    """Returns the record of the newest pushed model that was not trained on the data of the present run.

    Models that were rolled back are left out.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
        span: Last span of the present run: the model's last span has to be before it. None if the log has no spans.
        log: Fingerprint of the files of the present run's log, from which that of the model has to differ if the log
            has no spans.
    """
    refused = {one.fingerprint for one in read_rolled_back(base_directory)}
    for folder in reversed(versions(base_directory).values()):
        record = read_record(base_directory, fingerprint(folder))
        if record is None or record.fingerprint in refused or not is_complete(folder):
            continue
        if record.log != log if span is None else record.span < span:
            return record
    return None


def remove_unneeded_records(base_directory: str) -> None:
    """Removes the records of models of which no version is left.

    Args:
        base_directory: Folder with one folder per version, to which nobody pushes at the moment.
    """
    kept = {fingerprint(folder) for folder in versions(base_directory).values()}
    for name in list_folder(f"{base_directory.rstrip('/')}/{RECORDS}"):
        if name not in kept:
            remove(record_folder(base_directory, name))
