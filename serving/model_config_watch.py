"""Model config file that is read again while the server runs."""

import logging
import pathlib
import threading
from collections.abc import Callable, Iterable

from serving.errors import StatusError
from serving.model_config import ModelConfig, read_model_config
from tfmtl.config import ConfigError

_log = logging.getLogger(__name__)


class ModelConfigWatch:
    """Thread that reads a model config file every few seconds and applies it when it has changed.

    A file that is invalid, or that is refused, changes nothing; it is tried again until it is applied.

    Args:
        path: File to read.
        seconds: Seconds between two reads.
        apply: Function that receives the models, such as `EmbeddedServer.reload`.
        applied: Models that are served now.
    """

    def __init__(
        self,
        path: str | pathlib.Path,
        seconds: float,
        apply: Callable[[Iterable[ModelConfig]], None],
        applied: Iterable[ModelConfig],
    ):
        self._path, self._seconds, self._apply = path, seconds, apply
        self._applied, self._problem = list(applied), ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll-model-config", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                models = read_model_config(self._path)
                if models != self._applied:
                    self._apply(models)
                    _log.info("model config file %s is applied: %s", self._path, ", ".join(m.name for m in models))
                self._applied, problem = models, ""
            except (ConfigError, StatusError) as error:
                problem = str(error)
                if problem != self._problem:
                    _log.error("model config file is not applied: %s", problem)
            self._problem = problem
