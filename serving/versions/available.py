"""Versions of a model that answer requests, and the status of each version seen."""

import contextlib
import dataclasses
import threading
from collections.abc import Collection, Iterator

from serving import protos
from serving.errors import StatusError, not_found
from serving.servable import Servable
from serving.versions.folders import FilesState
from serving.versions.status import VersionStatus

_State = protos.ModelVersionStatus


@dataclasses.dataclass
class LoadedVersion:
    """Version that is loaded.

    Attributes:
        number: Number of the version.
        servable: Its graph session.
        files: State of its files when it was loaded.
        in_flight: Number of requests that run on it.
        retired: Whether it is unloaded after these requests.
    """

    number: int
    servable: Servable
    files: FilesState
    in_flight: int = 0
    retired: bool = False


class AvailableVersions:
    """Versions of a model by number, for any number of threads.

    Requests that run on a version finish on it before it is unloaded.

    Args:
        name: Name of the model.
    """

    def __init__(self, name: str):
        self._name = name
        self._versions: dict[int, LoadedVersion] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._closed = False
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._versions)

    def get(self, number: int) -> LoadedVersion | None:
        """Returns a version that answers requests; None if it does not."""
        return self._versions.get(number)

    def statuses(self) -> list[VersionStatus]:
        """Returns the status of each version seen so far, newest first."""
        with self._lock:
            return [self._statuses[number] for number in sorted(self._statuses, reverse=True)]

    def set_status(self, number: int, state: int, error: StatusError | None = None) -> None:
        """Sets the status of a version, unless it answers requests: then its status stays AVAILABLE.

        Args:
            number: Number of the version.
            state: `ModelVersionStatus.State`.
            error: Error for which it could not be loaded.
        """
        with self._lock:
            if number not in self._versions:
                self._statuses[number] = VersionStatus(number, state, error)

    def forget_unloaded(self, existing: Collection[int]) -> None:
        """Drops the status of each version that was never loaded and whose folder is gone.

        Args:
            existing: Numbers of the versions whose folders exist.
        """
        with self._lock:
            for number, status in list(self._statuses.items()):
                if status.state == _State.START and number not in existing:
                    del self._statuses[number]

    @contextlib.contextmanager
    def lease(self, number: int | None = None) -> Iterator[tuple[int, Servable]]:
        """Keeps a version loaded for the duration of the `with` block (see `ModelVersions.lease`)."""
        with self._lock:
            loaded = self._versions.get(max(self._versions, default=0) if number is None else number)
            if loaded is None:
                asked = f"Latest({self._name})" if number is None else f"Specific({self._name}, {number})"
                raise not_found(f"Servable not found for request: {asked}")
            loaded.in_flight += 1
        try:
            yield loaded.number, loaded.servable
        finally:
            with self._lock:
                loaded.in_flight -= 1
                last = loaded.retired and not loaded.in_flight
            if last:
                self._unload(loaded)

    def add(self, new: LoadedVersion) -> bool:
        """Lets a version answer requests, in place of one of the same number. Returns False after `close`."""
        with self._lock:
            closed, old = self._closed, self._versions.get(new.number)
            if not closed:
                self._versions[new.number] = new
                self._statuses[new.number] = VersionStatus(new.number, _State.AVAILABLE)
        if closed:
            new.servable.close()
        elif old is not None:
            self._retire(old)
        return not closed

    def keep_only(self, numbers: Collection[int]) -> None:
        """Unloads all other versions, each after the requests that run on it.

        Args:
            numbers: Versions that stay.
        """
        with self._lock:
            others = [loaded for number, loaded in self._versions.items() if number not in numbers]
            for loaded in others:
                del self._versions[loaded.number]
                self._statuses[loaded.number] = VersionStatus(loaded.number, _State.UNLOADING)
        for loaded in others:
            self._retire(loaded)

    def close(self) -> None:
        """Unloads all versions, and those that are still added."""
        with self._lock:
            self._closed = True
        self.keep_only(())

    def _retire(self, loaded: LoadedVersion) -> None:
        with self._lock:
            loaded.retired = True
            idle = not loaded.in_flight
        if idle:
            self._unload(loaded)

    def _unload(self, loaded: LoadedVersion) -> None:
        loaded.servable.close()
        with self._lock:
            # The version may be loaded again by now.
            if self._statuses[loaded.number].state == _State.UNLOADING:
                self._statuses[loaded.number] = VersionStatus(loaded.number, _State.END)
