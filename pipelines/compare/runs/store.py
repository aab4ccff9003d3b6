"""Finished runs of a comparison, one folder each, which is complete or absent."""

import contextlib
import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from pipelines.compare.fitters import present_options
from pipelines.compare.jobs import Job
from pipelines.compare.runs.result import RESULT, SCORES, Result
from transforms.storage.atomic import atomic_dir, remove_unfinished
from transforms.storage.locks import exclusive_lock

_LOCK = ".lock"


class RunStore:
    """Folder of the finished runs.

    Args:
        root: Path of the folder; it is created if it does not exist.
        data: Fingerprint of the data of the runs.
        code: Hash of the code whose runs are used; None uses runs of any code. Trials of any code are always used, as
            they only choose hyper-parameters, and so are runs that this store has written: the code may be edited while
            a comparison runs, which the report then states.
        published: Finished runs of the page by the key of their jobs, for those that the folder does not have.
    """

    def __init__(
        self, root: pathlib.Path, data: str, code: str | None = None, published: Mapping[str, Result] | None = None
    ):
        self.root = root
        self.data = data
        self.code = code
        self._published = published or {}
        self._written: set[str] = set()
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, job: Job) -> pathlib.Path:
        """Returns the path of a finished run's folder.

        Args:
            job: Job of the run.
        """
        return self.root / job.key(self.data)

    def get(self, job: Job) -> Result | None:
        """Reads a finished run.

        Args:
            job: Job of the run.

        Returns:
            The result, or None if there is none of the code whose runs are used.
        """
        path = self._kept_folder(job) / RESULT
        kept = Result.from_json(path.read_text(encoding="utf-8")) if path.exists() else None
        for result in (kept, self._published.get(job.key(self.data))):
            if result is not None and self._is_used(job, result):
                return dataclasses.replace(result, job=job)
        return None

    def scores(self, job: Job) -> dict[str, np.ndarray]:
        """Reads the test scores of a finished run.

        Args:
            job: Job of the run.

        Returns:
            Scores by output, `(rows,)`.
        """
        with np.load(self._kept_folder(job) / SCORES) as arrays:
            return dict(arrays)

    @contextlib.contextmanager
    def writing(self, job: Job) -> Iterator[pathlib.Path]:
        """Context manager that keeps a run if its block ends without an error, in place of a run of other code.

        Args:
            job: Job of the run.

        Yields:
            An empty folder for `pipelines.compare.runs.result.write_run`.
        """
        with atomic_dir(self.folder(job)) as folder:
            yield folder
        self._written.add(job.key(self.data))

    def _is_used(self, job: Job, result: Result) -> bool:
        return job.trial is not None or self.code in (None, result.code) or job.key(self.data) in self._written

    def _kept_folder(self, job: Job) -> pathlib.Path:
        folder = self.folder(job)
        return folder if folder.exists() else self._renamed_runs.get(job.key(self.data), folder)

    @functools.cached_property
    def _renamed_runs(self) -> dict[str, pathlib.Path]:
        """Folders of runs that were kept with former names of options, by the key of the present names."""
        folders = {}
        for path in self.root.glob(f"*/{RESULT}"):
            job = Job(**json.loads(path.read_text(encoding="utf-8"))["job"])
            if job.key(self.data) != path.parent.name:  # A run on other data, or an unfinished one.
                continue
            present = dataclasses.replace(job, options=present_options(job.model, job.options))
            folders[present.key(self.data)] = path.parent
        return folders


@contextlib.contextmanager
def lock_runs(root: pathlib.Path) -> Iterator[None]:
    """Context manager in which no other comparison uses a store's folder; leftovers of interrupted runs are removed.

    Args:
        root: Folder of the store; it is created if it does not exist.

    Raises:
        ConfigError: If another comparison uses the folder.
    """
    message = f"{root} should be used by one comparison at a time"
    with exclusive_lock(root / _LOCK, message):
        remove_unfinished(root)
        yield
