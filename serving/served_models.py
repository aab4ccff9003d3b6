"""Models of a server: a thread for each polls its folder and loads its versions, while the others are served."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

import grpc

from serving.errors import StatusError
from serving.model_config import ModelConfig
from serving.versions import ModelVersions

_log = logging.getLogger(__name__)


class ServedModels(Mapping[str, ModelVersions]):
    """Models by name, whose configuration may change while they are served.

    A model that a new configuration no longer names answers no request, and its versions are still known to
    `GetModelStatus`, as in TensorFlow Serving.

    Args:
        configs: Configuration of each model.
        poll_seconds: Seconds between two polls of a folder.
        on_poll: Function that is called after each poll of a model.
    """

    def __init__(self, configs: Iterable[ModelConfig], poll_seconds: float, on_poll: Callable[[], None]):
        self._poll_seconds, self._on_poll = poll_seconds, on_poll
        self._models: dict[str, ModelVersions] = {}
        self._pollers: dict[str, _Poller] = {}
        self._reloading = threading.Lock()
        self._polled = threading.Condition()
        self._stopping = False
        self._configs = {config.name: config for config in configs}
        for config in self._configs.values():
            self._models[config.name] = config.versions()

    def __getitem__(self, name: str) -> ModelVersions:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def ready(self) -> bool:
        """True if each configured model has a version that answers requests."""
        return not self._stopping and all(self._models[name].available for name in self._configs)

    def start(self) -> None:
        """Loads all models at the same time; returns when each has a version that answers, or none that can be loaded.

        A version that is still being copied is waited for.
        """
        with self._reloading:
            self._start_pollers(self._configs)
        self._wait(self._configs)

    def unavailable(self) -> dict[str, str]:
        """Returns the models without a version that answers requests, each with the reason."""
        return {name: self._models[name].problem for name in self._configs if not self._models[name].available}

    def reload(self, configs: Iterable[ModelConfig]) -> None:
        """Replaces the configuration, and waits for the models that are new in it.

        As in TensorFlow Serving with `--allow_version_labels_for_unavailable_models=true`, a new label may name a
        version that is not yet available, and an existing one is moved to an available version only; without the first,
        no label could be given when a server starts. A new model that cannot be loaded is an error, after which the
        new configuration holds. A new model whose base path has no version is one too; TensorFlow Serving waits for it.

        Args:
            configs: Configuration of each model.

        Raises:
            StatusError: With code FAILED_PRECONDITION or INVALID_ARGUMENT if the configuration is refused, and UNKNOWN
                if a new model cannot be loaded.
        """
        with self._reloading:
            wanted = {config.name: config for config in configs}
            for config in wanted.values():
                self._check(config)
            removed, new = self._configs.keys() - wanted.keys(), wanted.keys() - self._configs.keys()
            self._models = {**self._models, **{name: wanted[name].versions() for name in new}}
            self._configs = wanted
            for name in wanted.keys() - new:
                config = wanted[name]
                self._models[name].configure(config.base_path, config.policy, config.labels)
                self._pollers[name].wake()
            for name in removed:
                _log.info("model %s is no longer served", name)
                self._pollers.pop(name).stop()
            self._start_pollers(new)
            self._wait(new)
        failed = [name for name in sorted(new) if not self._models[name].available]
        if failed:
            reasons = "".join(f"{_not_available(self._models[name])}, " for name in failed)
            text = f"{len(failed)} model(s) did not become available: {{{reasons}}}"
            raise StatusError(grpc.StatusCode.UNKNOWN, text)

    def stop(self, patience: float) -> None:
        """Unloads all models after their running requests.

        Args:
            patience: Seconds to wait for a load that is running.
        """
        with self._polled:
            self._stopping = True
            self._polled.notify_all()
        with self._reloading:
            for poller in self._pollers.values():
                poller.stop()
        for poller in self._pollers.values():
            poller.thread.join(patience)

    def _start_pollers(self, names: Iterable[str]) -> None:
        for name in names:
            if not self._stopping:
                self._pollers[name] = _Poller(self._models[name], self._poll_seconds, self._announce)

    def _announce(self) -> None:
        self._on_poll()
        with self._polled:
            self._polled.notify_all()

    def _wait(self, names: Iterable[str]) -> None:
        models = [self._models[name] for name in names]
        with self._polled:
            self._polled.wait_for(lambda: self._stopping or all(model.settled for model in models))

    def _check(self, config: ModelConfig) -> None:
        old = self._configs.get(config.name)
        for label, version in config.labels.items():
            is_moved = old is not None and old.labels.get(label, version) != version
            if is_moved and not self._models[config.name].serves(version):
                raise StatusError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {config.name}, which is not currently "
                    "available for inference",
                )


class _Poller:
    """Thread that polls a model until it is stopped, after which the model is closed."""

    def __init__(self, model: ModelVersions, seconds: float, announce: Callable[[], None]):
        self._model, self._seconds, self._announce = model, seconds, announce
        self._awake, self._stopping = threading.Event(), False
        self.thread = threading.Thread(target=self._run, name=f"poll-{model.name}", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        """Polls at once."""
        self._awake.set()

    def stop(self) -> None:
        """Ends the thread, at the latest after the load that is running, and stops serving the model."""
        self._stopping = True
        self._awake.set()
        self._model.close()

    def _run(self) -> None:
        while not self._stopping:
            self._model.poll()
            self._announce()
            self._awake.wait(self._seconds)
            self._awake.clear()


def _not_available(model: ModelVersions) -> str:
    failed = [status for status in model.statuses() if status.error is not None]
    if not failed or failed[0].error is None:
        return f"{{{model.name} due to error: {model.problem}}}"
    error = failed[0].error
    return f"{{{{name: {model.name} version: {failed[0].version}}} due to error: {error.code.name}: {error.details}}}"
