"""Command of `tfmtl` that serves models."""

from typing import Any

import click


class ModelFolder(click.Path):
    """Folder of a model's versions, or `NAME=FOLDER`. The value is a pair of the name, which may be None, and it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the name and the folder; a folder that exists under the whole value has no name."""
        name, separator, folder = str(value).partition("=")
        try:
            return None, super().convert(value, param, ctx)
        except click.BadParameter:
            if not separator:
                raise
        return name, super().convert(folder, param, ctx)


@click.command(short_help="Serve pushed models over gRPC.")
@click.argument("models", metavar="[NAME=]MODEL_DIR...", nargs=-1, type=ModelFolder(exists=True, file_okay=False))
@click.option("--name", help="Name of the model; default: that of MODEL_DIR.")
@click.option(
    "--model-config-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Models, version policies and labels in TensorFlow Serving's text format, in place of MODEL_DIR.",
)
@click.option(
    "--model-config-poll-seconds",
    default=0.0,
    show_default=True,
    help="Interval between reads of the model config file; 0 reads it once.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, or unix:PATH.")
@click.option("--port", default=8500, show_default=True, help="Port to listen on; 0 chooses a free one.")
@click.option(
    "--rest-port", type=int, help="Port of REST, metrics and health by HTTP; 0 chooses a free one; default: none."
)
@click.option("--poll-seconds", default=2.0, show_default=True, help="Interval between checks for a new version.")
@click.option(
    "--grace-seconds", default=5.0, show_default=True, help="Time that running requests have to finish at the end."
)
@click.option(
    "--tls-cert", type=click.Path(), help="Certificate of the server, PEM; connections are encrypted with it."
)
@click.option("--tls-key", type=click.Path(), help="Private key of the certificate, PEM.")
@click.option("--tls-client-ca", type=click.Path(), help="Authorities, PEM, of which clients need a certificate.")
@click.option(
    "--token-file", type=click.Path(), help="File of a token that requests need: `authorization: Bearer TOKEN`."
)
@click.option("--max-message-bytes", type=int, help="Maximum size of a request; default: 67108864, which is 64 MiB.")
@click.option("--max-batch", type=int, help="Maximum number of rows in a request; default: no limit.")
@click.option("--max-concurrency", type=int, help="Maximum number of requests that run; default: 4 for each core.")
@click.option("--max-queue", type=int, help="Maximum number of requests that wait; default: 128.")
@click.option("--request-log", type=click.Path(file_okay=False), help="Folder of a log of some requests.")
@click.option("--request-log-sampling-rate", type=float, help="Share of the requests that are logged; default: 0.01.")
@click.option("--request-log-max-bytes", type=int, help="Maximum size of the log; default: 1073741824, which is 1 GiB.")
def serve(**options: Any) -> None:
    """Serve the newest version in each MODEL_DIR with TensorFlow Serving's gRPC protocol.

    A request above a limit is answered with RESOURCE_EXHAUSTED. With --rest-port, the REST API of TensorFlow Serving is
    at /v1, metrics for Prometheus at /monitoring/prometheus/metrics, and health at /healthz and /readyz.

    The command waits until each model can be served; if one cannot, it ends with exit code 2. SIGTERM and Ctrl-C stop
    it after the running requests, with exit code 0 and 130.

    \b
    Example:
      tfmtl serve runs/demo/serving/demo --port 8500
      tfmtl serve ads=runs/demo/serving/demo shop=runs/shop/serving/shop
    """
    from pipelines.commands.serve import ServeOptions, serve_models

    serve_models(ServeOptions(**options))
