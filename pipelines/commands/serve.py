"""`tfmtl serve`: serves pushed models with the embedded server."""

import pathlib

from pipelines.terminal import console
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError


def serve_models(model_dirs: tuple[str, ...], host: str, port: int, poll_seconds: float) -> None:
    """Serves until interrupted. A model has the name of its folder."""
    models = {pathlib.Path(folder).resolve().name: str(pathlib.Path(folder).resolve()) for folder in model_dirs}
    if len(models) < len(model_dirs):
        raise ConfigError(f"model_dirs should have different names. Received: {', '.join(model_dirs)}")
    with EmbeddedServer(models, host=host, port=port, poll_seconds=poll_seconds) as server:
        console.print(f"serving {', '.join(models)} on {server.address}", highlight=False)
        try:
            server.wait()
        except KeyboardInterrupt:
            console.print("stopping")
