"""Command `tfmtl serve`: serves pushed models with the embedded server."""

import pathlib

from pipelines.terminal import console
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError


def serve_models(model_dirs: tuple[str, ...], host: str, port: int, poll_seconds: float) -> None:
    """Serves models until the process is interrupted.

    Args:
        model_dirs: Base directories of the models, each with one folder per version. The name of a directory is the
            name of the model.
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free one.
        poll_seconds: Interval between checks for a new version.

    Raises:
        ConfigError: If two directories have the same name.
    """
    models = {pathlib.Path(folder).resolve().name: str(pathlib.Path(folder).resolve()) for folder in model_dirs}
    if len(models) < len(model_dirs):
        raise ConfigError(f"model_dirs should have different names. Received: {', '.join(model_dirs)}")
    with EmbeddedServer(models, host=host, port=port, poll_seconds=poll_seconds) as server:
        try:
            console.print(f"serving {', '.join(models)} on {server.address}", highlight=False)
            server.wait()
        except KeyboardInterrupt:
            console.print("stopping")
