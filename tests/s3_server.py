"""An S3-compatible server on this machine, with one bucket."""

import contextlib
import logging
import urllib.request

from moto.server import ThreadedMotoServer

BUCKET = "models"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


@contextlib.contextmanager
def s3_server():
    """Yields the variables of the environment with which clients find the server and its bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        with urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT")):
            yield {**ENVIRONMENT, "AWS_ENDPOINT_URL": address}
    finally:
        server.stop()
