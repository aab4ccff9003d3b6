"""Versions of one model: numbered folders that are polled, of which the newest is served."""

import contextlib
import dataclasses
import logging
import pathlib
import threading
from collections.abc import Iterator

import grpc

from serving import protos
from serving.errors import StatusError, not_found
from serving.servable import Servable

_log = logging.getLogger(__name__)

_State = protos.ModelVersionStatus
_INT64_MAX = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """Status of a version.

    Attributes:
        version: Number of the version.
        state: `ModelVersionStatus.State`: START, LOADING, AVAILABLE, UNLOADING or END.
        error: Error for which the version could not be loaded; its state is END then.
    """

    version: int
    state: int
    error: StatusError | None = None


@dataclasses.dataclass
class _Loaded:
    version: int
    servable: Servable
    in_flight: int = 0
    retired: bool = False


class ModelVersions:
    """Versions of a model, of which the newest is served.

    A new version is loaded and warmed up while the old one answers. Requests that run on the old version finish on it
    before it is unloaded, so that a swap fails no request. If a version cannot be loaded, the old one stays in place;
    the new one is tried again when its files change. Without a version folder nothing is served; while the base path
    cannot be read, nothing changes.

    Args:
        name: Name of the model.
        base_path: Folder of the version folders; `00000123` is version 123.
    """

    def __init__(self, name: str, base_path: str | pathlib.Path):
        self.name = name
        self._base_path = pathlib.Path(base_path)
        self._current: _Loaded | None = None
        self._statuses: dict[int, VersionStatus] = {}
        self._failed: tuple | None = None
        self._lock = threading.Lock()

    @property
    def available(self) -> bool:
        """True if a version answers requests."""
        return self._current is not None

    def statuses(self) -> list[VersionStatus]:
        """Returns the status of each version seen so far, newest first."""
        with self._lock:
            return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    @contextlib.contextmanager
    def lease(self, version: int | None = None) -> Iterator[tuple[int, Servable]]:
        """Keeps a version loaded for the duration of the `with` block.

        Args:
            version: Number of the version. Defaults to the newest one.

        Yields:
            Number of the version, and the version.

        Raises:
            StatusError: With code NOT_FOUND if it is not served.
        """
        with self._lock:
            loaded = self._current
            if loaded is None or version not in (None, loaded.version):
                asked = f"Latest({self.name})" if version is None else f"Specific({self.name}, {version})"
                raise not_found(f"Servable not found for request: {asked}")
            loaded.in_flight += 1
        try:
            yield loaded.version, loaded.servable
        finally:
            with self._lock:
                loaded.in_flight -= 1
                last = loaded.retired and not loaded.in_flight
            if last:
                self._unload(loaded)

    def poll(self) -> None:
        """Serves the newest version of the folder. It is called by one thread at a time and never raises an error."""
        try:
            folders = _version_folders(self._base_path)
            newest = max(folders, default=None)
            if newest is None:
                _log.warning("model %s: no version folder in %s", self.name, self._base_path)
                self._switch(None)
                return
            if self._current is not None and self._current.version == newest:
                return
            attempt = (newest, _fingerprint(folders[newest]))
        except OSError as error:
            _log.error("model %s: cannot read %s: %s", self.name, self._base_path, error)
            return
        if attempt != self._failed:
            self._failed = None if self._load(newest, folders[newest]) else attempt

    def close(self) -> None:
        """Stops serving; running requests finish."""
        self._switch(None)

    def _load(self, version: int, path: pathlib.Path) -> bool:
        self._set(version, _State.START)
        servable = None
        try:
            self._set(version, _State.LOADING)
            servable = Servable(path)
            replayed = servable.warm_up()
        except Exception as error:  # An error of one version must not end the polling.
            _log.exception("model %s: version %d cannot be loaded from %s", self.name, version, path)
            if servable is not None:
                servable.close()
            if not isinstance(error, StatusError):
                error = StatusError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
            self._set(version, _State.END, error)
            return False
        _log.info("model %s: version %d is served, after %d warm-up requests", self.name, version, replayed)
        self._switch(_Loaded(version, servable))
        return True

    def _switch(self, new: _Loaded | None) -> None:
        with self._lock:
            old, self._current = self._current, new
            if new is not None:
                self._statuses[new.version] = VersionStatus(new.version, _State.AVAILABLE)
            if old is None:
                return
            self._statuses[old.version] = VersionStatus(old.version, _State.UNLOADING)
            old.retired = True
            idle = not old.in_flight
        if idle:
            self._unload(old)

    def _unload(self, loaded: _Loaded) -> None:
        loaded.servable.close()
        self._set(loaded.version, _State.END)

    def _set(self, version: int, state: int, error: StatusError | None = None) -> None:
        with self._lock:
            self._statuses[version] = VersionStatus(version, state, error)


def _version_folders(base_path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns the version folders by number; of `7` and `007`, the last by name, like TensorFlow Serving."""
    folders = {}
    for path in sorted(base_path.iterdir()):
        name = path.name
        if name.isascii() and name.isdigit() and int(name) <= _INT64_MAX and path.is_dir():
            folders[int(name)] = path
    return folders


def _fingerprint(folder: pathlib.Path) -> tuple:
    """Returns a value that changes with any file below `folder`, since a version may be polled while it is copied."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)
