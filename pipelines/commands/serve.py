"""Command `tfmtl serve`: serves pushed models with the embedded server."""

import pathlib
import socket
from collections.abc import Mapping

from pipelines.terminal import console
from serving.requests.limits import Limits
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError


def serve_models(
    model_dirs: tuple[str, ...], host: str, port: int, poll_seconds: float, limits: Mapping[str, int] | None = None
) -> None:
    """Serves models until the process is interrupted.

    Args:
        model_dirs: Base directories of the models, each with one folder per version. The name of a directory is the
            name of the model.
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free one.
        poll_seconds: Interval between checks for a new version.
        limits: Arguments of `serving.requests.limits.Limits`. Defaults to those of the server.

    Raises:
        ConfigError: If two directories have the same name, one has no version, a limit is out of range, or the port is
            in use.
    """
    models = {pathlib.Path(folder).resolve().name: str(pathlib.Path(folder).resolve()) for folder in model_dirs}
    if len(models) < len(model_dirs):
        raise ConfigError(f"model_dirs should have different names. Received: {', '.join(model_dirs)}")
    for folder in model_dirs:
        _check_versions(pathlib.Path(folder))
    limits = dict(limits or {})
    try:
        Limits(**limits)
    except ValueError as error:
        raise ConfigError(f"--{str(error).replace('_', '-', 2)}") from error
    if poll_seconds <= 0:
        raise ConfigError(f"--poll-seconds should be above 0. Received: {poll_seconds}")
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        expected = f"{host}:{port} should be a free address of this machine; --port 0 chooses a free port"
        raise ConfigError(f"{expected}. Received: {error}") from error
    server = EmbeddedServer(models, host=host, port=port, poll_seconds=poll_seconds, **limits).start()
    try:
        console.print(f"serving {', '.join(models)} on {server.address}", highlight=False)
        server.wait()
    except KeyboardInterrupt:
        console.print("stopping")
    finally:
        server.stop()


def _check_versions(folder: pathlib.Path) -> None:
    """Checks that a folder has versions; if the folders in it have, the message names one of them."""
    if _has_version(folder):
        return
    below = next((path for path in sorted(folder.iterdir()) if path.is_dir() and _has_version(path)), None)
    advice = f"Did you mean {below}?" if below else "`tfmtl run` writes one to OUT/serving/NAME."
    raise ConfigError(f"{folder} should have a folder for each version, such as 1795853324. Received: none. {advice}")


def _has_version(folder: pathlib.Path) -> bool:
    return any(path.name.isdigit() and path.is_dir() for path in folder.iterdir())
