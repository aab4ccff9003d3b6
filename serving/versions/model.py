"""Versions of a model that are loaded, served and unloaded as their folders come and go."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator, Mapping

import grpc

from serving import protos
from serving.errors import StatusError, invalid_argument
from serving.servable import Servable
from serving.versions.available import AvailableVersions, LoadedVersion
from serving.versions.files import Files, FilesWatch, Progress
from serving.versions.folders import FilesState, files_state, version_folders
from serving.versions.loading import load
from serving.versions.policy import VersionPolicy
from serving.versions.status import VersionStatus

_log = logging.getLogger(__name__)

_State = protos.ModelVersionStatus


class ModelVersions:
    """Versions of a model, of which a policy chooses those that are served.

    A version is loaded and warmed up once its files are complete (`serving.versions.files`), while the versions before
    it answer. Requests that run on an old version finish on it before it is unloaded, so that a swap fails no request.
    Without a version folder nothing is served; while the base path cannot be read, nothing changes.

    Two things differ from TensorFlow Serving on purpose:

    - With the policy `latest`, a version that is incomplete or cannot be loaded is passed over for the next older one.
      TensorFlow Serving tries the newest one only, and keeps an old version only if it serves it already: when it
      starts, it ends with an error although a version that has served for weeks is beside the broken one. Besides, a
      version that cannot be loaded is tried again when its files change, and not each minute.
    - A version whose files change after it was loaded is loaded again, with a warning. TensorFlow Serving takes files
      as immutable and keeps what it has loaded. An export without a manifest may be loaded while its copy pauses, and
      would then give wrong scores for good. And a folder that is replaced, or a link that is re-pointed, has the same
      effect whether or not a poll falls between the removal of the old folder and the new one.

    Args:
        name: Name of the model.
        base_path: Folder of the version folders; `00000123` is version 123.
        policy: Choice of the versions that are served. Defaults to the newest one.
        labels: Version by label.
    """

    def __init__(
        self,
        name: str,
        base_path: str | pathlib.Path,
        policy: VersionPolicy | None = None,
        labels: Mapping[str, int] | None = None,
    ):
        self.name = name
        self._versions = AvailableVersions(name)
        self._watches: dict[pathlib.Path, FilesWatch] = {}
        self._refused: dict[int, FilesState] = {}
        self._changed: dict[int, FilesState] = {}
        self._problem = ""
        self._growing = True
        self.configure(base_path, policy or VersionPolicy.latest(), labels or {})

    def configure(self, base_path: str | pathlib.Path, policy: VersionPolicy, labels: Mapping[str, int]) -> None:
        """Changes the configuration; the labels hold at once, the rest from the next poll on.

        Args:
            base_path: Folder of the version folders.
            policy: Choice of the versions that are served.
            labels: Version by label.
        """
        self._source, self._labels = (pathlib.Path(base_path), policy), dict(labels)

    @property
    def available(self) -> bool:
        """True if a version answers requests."""
        return bool(self._versions)

    @property
    def settled(self) -> bool:
        """True if a version answers requests, or none will before files change: there is none, or it is broken."""
        return self.available or not self._growing

    @property
    def problem(self) -> str:
        """Reason for which no version answers requests, in one line; empty before the first poll."""
        failed = [(status.version, status.error) for status in self.statuses() if status.error is not None]
        if self._problem or not failed:
            return self._problem
        version, error = failed[0]
        return f"version {version}: {error.details.strip().splitlines()[0]}"

    def serves(self, version: int) -> bool:
        """Returns whether a version answers requests."""
        return self._versions.get(version) is not None

    def statuses(self) -> list[VersionStatus]:
        """Returns the status of each version seen so far, newest first."""
        return self._versions.statuses()

    def version_of(self, label: str) -> int:
        """Returns the version of a label. Raises `StatusError` with code INVALID_ARGUMENT if there is no such label."""
        version = self._labels.get(label)
        if version is None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return version

    @contextlib.contextmanager
    def lease(self, version: int | None = None) -> Iterator[tuple[int, Servable]]:
        """Keeps a version loaded for the duration of the `with` block.

        Args:
            version: Number of the version. Defaults to the newest one that is served.

        Yields:
            Number of the version, and the version.

        Raises:
            StatusError: With code NOT_FOUND if it is not served.
        """
        with self._versions.lease(version) as leased:
            yield leased

    def poll(self) -> None:
        """Loads and unloads versions as the folders demand. One thread at a time calls it; it never raises an error."""
        base_path, policy = self._source
        try:
            folders = version_folders(base_path)
        except OSError as error:
            self._growing = False
            self._report(f"cannot read {base_path}: {error.strerror or error}")
            return
        self._serve(folders, policy)
        wanted = "no version folder" if policy.numbers is None else f"none of the versions {sorted(policy.numbers)}"
        self._report("" if policy.candidates(folders) else f"{wanted} in {base_path}")

    def close(self) -> None:
        """Stops serving for good; running requests finish."""
        self._versions.close()

    def _serve(self, folders: Mapping[int, pathlib.Path], policy: VersionPolicy) -> None:
        existing = set(folders.values())
        self._watches = {folder: watch for folder, watch in self._watches.items() if folder in existing}
        self._refused = {version: files for version, files in self._refused.items() if version in folders}
        self._versions.forget_unloaded(folders)
        candidates = policy.candidates(folders)
        served: list[int] = []
        expected = 0  # Versions that may be complete at the next poll; then no older ones are needed.
        growing = False
        for version in candidates:
            if len(served) + expected == policy.count:
                break
            watch = self._watches.setdefault(folders[version], FilesWatch(folders[version]))
            is_new = watch.is_new
            incomplete = self._examine(version, folders[version], watch.poll())
            growing |= incomplete
            if self.serves(version):
                served.append(version)
            elif incomplete and is_new:
                expected += 1
        self._growing = growing
        if not candidates or (served and not expected):
            self._versions.keep_only(served)

    def _examine(self, version: int, folder: pathlib.Path, files: Files) -> bool:
        """Loads a version if its files are complete and new; returns True if they are incomplete."""
        loaded = self._versions.get(version)
        if self._refused.get(version) == files.state or (loaded is not None and loaded.files == files.state):
            return False
        if loaded is not None and self._changed.get(version) != files.state:
            _log.warning("model %s: the files of version %d have changed since it was loaded", self.name, version)
            self._changed[version] = files.state
        if files.progress is Progress.GROWING:
            self._versions.set_status(version, _State.START)
            return True
        try:
            return self._load(version, folder, files)
        except StatusError as caught:
            # The traceback of the caught one refers to the graph, whose memory the status would keep.
            error = StatusError(caught.code, caught.details)
            _log.error("model %s: version %d cannot be loaded from %s: %s", self.name, version, folder, error)
            self._refused[version] = files.state
            self._versions.set_status(version, _State.END, error)
            return False

    def _load(self, version: int, folder: pathlib.Path, files: Files) -> bool:
        """Loads a version and serves it; returns True if its files have changed meanwhile, so that it is not served."""
        if files.progress is Progress.STOPPED:
            raise StatusError(grpc.StatusCode.DATA_LOSS, f"{folder} is incomplete: {files.problem}")
        self._versions.set_status(version, _State.LOADING)
        servable, replayed = load(folder)
        try:
            unchanged = files_state(folder) == files.state
        except OSError:
            unchanged = False
        if not unchanged:
            servable.close()
            self._versions.set_status(version, _State.START)
            return True
        if self._versions.add(LoadedVersion(version, servable, files.state)):
            _log.info("model %s: version %d is served, after %d warm-up requests", self.name, version, replayed)
        return False

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            _log.warning("model %s: %s", self.name, problem)
        self._problem = problem
