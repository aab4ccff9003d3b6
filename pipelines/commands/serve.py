"""Command `tfmtl serve`: serves pushed models with the embedded server."""

import contextlib
import dataclasses
import gc
import logging
import math
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.interrupts import Terminated, termination_raised
from pipelines.library_messages import log_level
from pipelines.terminal import console
from serving.model_config import ModelConfig, read_model_config
from serving.model_config_watch import ModelConfigWatch
from serving.request_log import RequestLogOptions
from serving.requests.limits import Limits
from serving.security import TlsFiles, read_token
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError

_NOTICE = 0.2
"""Seconds after a signal during which requests are still accepted: those that were sent before arrive."""
_LIBRARIES = ("absl", "grpc", "tensorflow")
"""Loggers that stay silent below errors while the log of the server is shown."""


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """Options of the command.

    Attributes:
        models: Name, or None for that of the folder, and base directory of each model.
        name: Name of the model, if there is one only.
        model_config_file: Models in TensorFlow Serving's text format, in place of `models`.
        model_config_poll_seconds: Interval between reads of that file; 0 reads it once.
        host: Address to listen on, or `unix:PATH`.
        port: Port to listen on; 0 chooses a free one.
        poll_seconds: Interval between checks for a new version.
        grace_seconds: Time that running requests have to finish at the end.
        tls_cert: Certificate of the server.
        tls_key: Private key of the certificate.
        tls_client_ca: Authorities of which clients need a certificate.
        token_file: File of the token that requests need.
        rest_port: Port of the REST API, the metrics and the health by HTTP; 0 chooses a free one, None has none.
        max_message_bytes: Maximum size of a request; None for the default of the server, as below.
        max_batch: Maximum number of rows in a request.
        max_concurrency: Maximum number of requests that run.
        max_queue: Maximum number of requests that wait.
        request_log: Folder of a log of some requests.
        request_log_sampling_rate: Share of the requests that are logged; None for the default.
        request_log_max_bytes: Maximum size of the log; None for the default.
    """

    models: Sequence[tuple[str | None, str]] = ()
    name: str | None = None
    model_config_file: str | None = None
    model_config_poll_seconds: float = 0.0
    host: str = "127.0.0.1"
    port: int = 8500
    poll_seconds: float = 2.0
    grace_seconds: float = 5.0
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    token_file: str | None = None
    rest_port: int | None = None
    max_message_bytes: int | None = None
    max_batch: int | None = None
    max_concurrency: int | None = None
    max_queue: int | None = None
    request_log: str | None = None
    request_log_sampling_rate: float | None = None
    request_log_max_bytes: int | None = None

    def limits(self) -> dict[str, int]:
        """Returns the limits that are given. Raises `ConfigError` if one is out of range."""
        names = ("max_message_bytes", "max_batch", "max_concurrency", "max_queue")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        try:
            Limits(**given)
        except ValueError as error:
            raise _wrong_option("--", error) from error
        return given

    def log_options(self) -> RequestLogOptions | None:
        """Returns the options of the request log; None without one. Raises `ConfigError` if one is out of range."""
        names = ("sampling_rate", "max_bytes")
        values = (self.request_log_sampling_rate, self.request_log_max_bytes)
        given: dict[str, Any] = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if self.request_log is None:
            if given:
                expected = "--request-log-sampling-rate and --request-log-max-bytes should be given with --request-log"
                raise ConfigError(f"{expected}. Received: no folder")
            return None
        try:
            return RequestLogOptions(self.request_log, **given)
        except ValueError as error:
            raise _wrong_option("--request-log-", error) from error


def serve_models(options: ServeOptions) -> None:
    """Serves models until the process receives SIGTERM or Ctrl-C; running requests finish.

    Args:
        options: Options of the command.

    Raises:
        ConfigError: If an option is wrong, the address is in use, or a model has no version that can be loaded.
        KeyboardInterrupt: After Ctrl-C, when the server has stopped.
    """
    for option, least in (("poll_seconds", "above 0"), ("model_config_poll_seconds", "0"), ("grace_seconds", "0")):
        seconds = getattr(options, option)
        if not (seconds > 0 if least == "above 0" else seconds >= 0) or math.isinf(seconds):
            flag = f"--{option.replace('_', '-')}"
            raise ConfigError(f"{flag} should be {'at least ' * (least == '0')}{least}. Received: {seconds:g}")
    models = _models(options)
    server = EmbeddedServer(
        {model.name: model for model in models},
        host=options.host,
        port=options.port,
        poll_seconds=options.poll_seconds,
        tls=_tls(options),
        token=read_token(options.token_file) if options.token_file else None,
        rest_port=options.rest_port,
        request_log=options.log_options(),
        **options.limits(),
    )
    gc.freeze()  # Modules are not examined by a full garbage collection, during which no request is answered.
    with termination_raised(), _shown_log(), contextlib.suppress(Terminated):
        try:
            server.start(require_models=True)
            if options.model_config_file and options.model_config_poll_seconds:
                seconds = options.model_config_poll_seconds
                ModelConfigWatch(options.model_config_file, seconds, server.reload, models)
            rest = f", REST on {server.rest_address}" if options.rest_port is not None else ""
            names = ", ".join(model.name for model in models)
            console.print(f"serving {names} on {server.address}{rest}", highlight=False, soft_wrap=True)
            server.wait()
        except (KeyboardInterrupt, Terminated):
            console.print("stopping")
            raise
        finally:
            server.stop(options.grace_seconds, notice=_NOTICE)
            gc.unfreeze()


def _wrong_option(prefix: str, error: ValueError) -> ConfigError:
    """Returns the error of an option whose name begins the text of another error."""
    name, _, rest = str(error).partition(" ")
    return ConfigError(f"{prefix}{name.replace('_', '-')} {rest}")


def _models(options: ServeOptions) -> list[ModelConfig]:
    if options.model_config_file:
        if options.models or options.name:
            raise ConfigError("--model-config-file should be given without MODEL_DIR and --name. Received: both")
        return read_model_config(options.model_config_file)
    if options.model_config_poll_seconds:
        raise ConfigError("--model-config-poll-seconds should be given with --model-config-file. Received: no file")
    if not options.models:
        raise ConfigError("MODEL_DIR or --model-config-file should be given. Received: neither")
    if options.name and len(options.models) > 1:
        raise ConfigError("--name should be given with one MODEL_DIR; NAME=MODEL_DIR names each of several")
    found = []
    for name, folder in options.models:
        # A symbolic link gives its own name, and is followed at each poll.
        default = os.path.basename(os.path.abspath(folder)) if name is None else name
        found.append(ModelConfig(options.name or default, pathlib.Path(folder).absolute()))
    names = [model.name for model in found]
    if len(set(names)) < len(names) or not all(names):
        expected = "model_dirs should have different names, not empty; NAME=MODEL_DIR gives another"
        raise ConfigError(f"{expected}. Received: {', '.join(names)}")
    for _, folder in options.models:
        _check_versions(pathlib.Path(folder))
    return found


def _tls(options: ServeOptions) -> TlsFiles | None:
    if bool(options.tls_cert) != bool(options.tls_key):
        raise ConfigError("--tls-cert and --tls-key should be given together. Received: one of them")
    if options.tls_cert and options.tls_key:
        return TlsFiles(options.tls_cert, options.tls_key, options.tls_client_ca)
    if options.tls_client_ca:
        raise ConfigError("--tls-client-ca should be given with --tls-cert and --tls-key. Received: neither")
    return None


def _check_versions(folder: pathlib.Path) -> None:
    """Checks that a folder has versions; where another one is meant, the message names it."""
    if _has_version(folder):
        return
    advice = "`tfmtl run` writes one to OUT/serving/NAME."
    below = next((path for path in sorted(folder.iterdir()) if path.is_dir() and _has_version(path)), None)
    if below or (folder / "saved_model.pb").exists():
        advice = f"Did you mean {below or folder.parent}?"
    raise ConfigError(f"{folder} should have a folder for each version, such as 1795853324. Received: none. {advice}")


def _has_version(folder: pathlib.Path) -> bool:
    return any(path.name.isdigit() and path.is_dir() for path in folder.iterdir())


@contextlib.contextmanager
def _shown_log() -> Iterator[None]:
    """Shows the log of the server, with a line for each swap, on stderr; those of libraries only if they were shown."""
    log, handler = logging.getLogger("serving"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    others = [logging.getLogger(name) for name in _LIBRARIES] if logging.root.manager.disable else []
    before = [(logger, logger.level) for logger in (log, *others)]
    propagate = log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    for other in others:
        other.setLevel(logging.ERROR)
    try:
        with log_level("info"):
            yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
        for logger, level in before:
            logger.setLevel(level)
