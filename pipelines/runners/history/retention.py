"""Retention: which artifacts of a run folder are needed, and the removal of the others."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Sequence

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.history.accepted import accepted_log, live_artifacts, training_examples
from pipelines.runners.history.record import read_record
from pipelines.runners.metadata_store import ARTIFACTS, DATABASE, open_store, property_value, run_contexts

_OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT, mlmd.Event.DECLARED_OUTPUT)
_REMOVABLE = (mlmd.Artifact.LIVE, mlmd.Artifact.MARKED_FOR_DELETION)


@dataclasses.dataclass(frozen=True)
class Unneeded:
    """Folders of a run folder that no later run needs.

    Attributes:
        artifacts: Artifacts of earlier runs.
        unfinished: Outputs of steps that did not end, such as those of a killed run.
    """

    artifacts: tuple[mlmd.Artifact, ...]
    unfinished: tuple[pathlib.Path, ...]

    @property
    def folders(self) -> list[pathlib.Path]:
        """Folders of both."""
        return [*(pathlib.Path(artifact.uri) for artifact in self.artifacts), *self.unfinished]


def find_unneeded(folder: pathlib.Path, keep: int) -> Unneeded:
    """Finds the artifacts that neither the last runs nor a warm start, a comparison or a rollback needs.

    Kept are all inputs and outputs of the last `keep` runs, those of their steps that came from the cache included, and
    the latest blessed model; with each model, its weights, its vocabularies and the examples that it was trained on;
    examples and statistics of the last accepted log; and folders that these runs start from.

    Args:
        folder: Run folder, absolute.
        keep: Number of runs whose artifacts are kept, at least 1.
    """
    store = open_store(folder / DATABASE)
    contexts = run_contexts(store)[-keep:]
    runs = [store.get_executions_by_context(context.id) for context in contexts]
    executions = [execution.id for run in runs for execution in run]
    needed = {event.artifact_id for event in store.get_events_by_execution_ids(executions)}
    needed |= set(_latest_blessed(store)) | accepted_log(store)
    models = needed & {artifact.id for artifact in live_artifacts(store, "Model")}
    needed |= set(_made_together(store, models)) | training_examples(store, models)
    everything = store.get_artifacts()
    starts = set(_started_from(contexts))
    needed |= {artifact.id for artifact in everything if _place(artifact.uri) in starts}
    artifacts = [
        artifact
        for artifact in everything
        if artifact.id not in needed
        and artifact.state in _REMOVABLE
        and pathlib.PurePath(artifact.uri).is_relative_to(folder / ARTIFACTS)
    ]
    uris = {artifact.uri for artifact in everything if artifact.state in _REMOVABLE}
    first = min(executions, default=0)
    unfinished = [path for number, path in _outputs(folder) if number < first and str(path) not in uris]
    return Unneeded(tuple(artifacts), tuple(unfinished))


def remove_unneeded(folder: pathlib.Path, unneeded: Unneeded) -> None:
    """Removes folders, and gives their artifacts the state DELETED, so that no later run takes them from the cache.

    Args:
        folder: Run folder.
        unneeded: What to remove.
    """
    store = open_store(folder / DATABASE)
    _set_state(store, unneeded.artifacts, mlmd.Artifact.MARKED_FOR_DELETION)
    for path in unneeded.folders:
        shutil.rmtree(path, ignore_errors=True)
    _set_state(store, unneeded.artifacts, mlmd.Artifact.DELETED)


def disk_bytes(folders: Iterable[pathlib.Path]) -> int:
    """Returns the bytes of all files in folders; a file with several links among them counts once.

    Args:
        folders: Folders, which need not exist.
    """
    sizes: dict[tuple[int, int], int] = {}
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                stat = os.lstat(os.path.join(parent, name))
                sizes[stat.st_dev, stat.st_ino] = stat.st_size
    return sum(sizes.values())


def _set_state(store: MetadataStore, artifacts: Sequence[mlmd.Artifact], state: int) -> None:
    # Copies of the store, as it refuses an artifact that was changed since it was read.
    present = store.get_artifacts_by_id([artifact.id for artifact in artifacts])
    for artifact in present:
        artifact.state = state
    if present:
        store.put_artifacts(present)


def _latest_blessed(store: MetadataStore) -> Iterator[int]:
    """Yields the ids of the latest blessed model and of its blessing."""
    blessed = [
        (int(str(property_value(one, "current_model_id"))), one.id)
        for one in live_artifacts(store, "ModelBlessing")
        if property_value(one, "blessed") == 1
    ]
    yield from max(blessed, default=())


def _made_together(store: MetadataStore, artifacts: Iterable[int]) -> Iterator[int]:
    """Yields the ids of all outputs of the executions that wrote artifacts."""
    events = store.get_events_by_artifact_ids(list(artifacts))
    makers = {event.execution_id for event in events if event.type in _OUTPUTS}
    made = store.get_events_by_execution_ids(list(makers)) if makers else []
    yield from (event.artifact_id for event in made if event.type in _OUTPUTS)


def _started_from(contexts: Iterable[mlmd.Context]) -> Iterator[tuple[str, ...]]:
    """Yields the places of the folders that the settings of runs name as their `training.warm_start`."""
    for context in contexts:
        record = read_record(context)
        folder = record.settings.get("training", {}).get("warm_start") if record else None
        if folder and _place(folder):
            yield _place(folder)


def _place(path: str) -> tuple[str, ...]:
    """Returns the parts of a path below the folder of artifacts of any run folder; empty for other paths."""
    parts = pathlib.PurePath(path).parts
    return tuple(parts[-3:]) if len(parts) > 3 and parts[-4] == ARTIFACTS else ()


def _outputs(folder: pathlib.Path) -> Iterator[tuple[int, pathlib.Path]]:
    """Yields the number of the execution and the folder of each output, finished or not."""
    for path in (folder / ARTIFACTS).glob("*/*/*"):
        if path.name.isdecimal() and not path.parent.name.startswith(".") and path.is_dir():
            yield int(path.name), path
