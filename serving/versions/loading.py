"""Loading and warm-up of a version."""

import logging
import pathlib

import grpc

from serving.errors import StatusError
from serving.replay import warm_up
from serving.servable import Servable

_log = logging.getLogger(__name__)


def load(folder: pathlib.Path) -> tuple[Servable, int]:
    """Loads a SavedModel and replays its warm-up requests.

    Args:
        folder: Folder of the SavedModel.

    Returns:
        The version, and the number of requests replayed.

    Raises:
        StatusError: If it cannot be loaded, or a request fails.
    """
    servable = None
    try:
        servable = Servable(folder)
        return servable, warm_up(servable)
    except Exception as error:  # An error of one version must not end the polling.
        if servable is not None:
            servable.close()
        if isinstance(error, StatusError):
            raise
        _log.debug("loading of %s failed", folder, exc_info=True)
        raise StatusError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}") from error
