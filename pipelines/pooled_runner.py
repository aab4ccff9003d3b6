"""Beam runner of this process whose workers are in worker pools, on this machine or on others."""

import contextlib
import functools
import logging
import threading
from typing import Any, ClassVar

import grpc
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PortableOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    ControlConnection,
    ExternalWorkerHandler,
    WorkerHandler,
)
from apache_beam.transforms.environments import ExternalEnvironment

from tfmtl.config import ConfigError


class WorkerLostError(ConfigError):
    """A worker of a Beam job ended before the job, or could not be started."""


class PooledRunner(FnApiRunner):
    """Beam's `FnApiRunner` with as many workers as `--direct_num_workers` says, started in pools.

    `--environment_type=EXTERNAL` and `--environment_config=HOST:PORT,HOST:PORT` name the pools, each of which starts
    the next worker in turn. `FnApiRunner` itself has one worker of this environment. A job that loses a worker fails
    with `WorkerLostError`, where `FnApiRunner` may wait for that worker forever.
    """

    def run_pipeline(self, pipeline: Any, options: PipelineOptions) -> Any:
        """Runs a Beam pipeline.

        Args:
            pipeline: The pipeline.
            options: Its options.

        Raises:
            WorkerLostError: If a worker ends before the job, or cannot be started.
        """
        self._default_environment = ExternalEnvironment.from_options(options.view_as(PortableOptions))
        options.view_as(DirectOptions).direct_running_mode = None  # That of workers of other kinds.
        _PoolConnection.lost.clear()
        _hide_broken_connections()
        try:
            return super().run_pipeline(pipeline, options)
        except Exception as error:
            if isinstance(error, WorkerLostError) or not _PoolConnection.lost:
                raise
            raise _lost(_PoolConnection.lost[0]) from error


class _PoolConnection(ControlConnection):
    """Connection to a worker, whose requests fail when it has ended.

    Attributes:
        address: Address of the pool of the worker.
        lost: Addresses of the pools whose workers have ended before the job.
    """

    address = ""
    lost: ClassVar[list[str]] = []
    _ended = False

    def _read(self) -> None:
        with contextlib.suppress(grpc.RpcError):  # The stream ends so if the worker does.
            super()._read()
        self._ended = True
        for future in list(self._futures_by_id.values()):
            self._fail(future)

    def push(self, req: Any) -> Any:
        future = super().push(req)
        if future is not None and self._ended:
            self._fail(future)
        return future

    def _fail(self, future: Any) -> None:
        self.lost.append(self.address)
        future.abort(_lost(self.address))


@WorkerHandler.register_environment(common_urns.environments.EXTERNAL.urn, beam_runner_api_pb2.ExternalPayload)
class _PoolWorkerHandler(ExternalWorkerHandler):
    """Starts a worker in one of several pools."""

    def __init__(self, external_payload: Any, state: Any, provision_info: Any, grpc_server: Any):
        connections = grpc_server.control_handler._connections_by_worker_id
        addresses = external_payload.endpoint.url.split(",")
        pool = addresses[len(connections) % len(addresses)]
        connections.default_factory = _PoolConnection
        payload = beam_runner_api_pb2.ExternalPayload()
        payload.CopyFrom(external_payload)
        payload.endpoint.url = pool
        super().__init__(payload, state, provision_info, grpc_server)
        self.control_conn.address = pool

    def start_worker(self) -> None:
        address = self._external_payload.endpoint.url
        try:
            super().start_worker()
        except grpc.RpcError as error:
            expected = "beam_pipeline_args: --environment_config should name pools of Beam workers that run"
            received = f"{address}, which does not answer ({error.code().name})"
            raise WorkerLostError(f"{expected}. Received: {received}") from error


@functools.cache
def _hide_broken_connections() -> None:
    """Hides the tracebacks of Beam's threads that read from a worker, which a lost worker ends; the job reports it."""
    logging.getLogger("apache_beam.runners.worker.data_plane").setLevel(logging.CRITICAL)
    shown = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if not issubclass(arguments.exc_type, grpc.RpcError):
            shown(arguments)

    threading.excepthook = hook


def _lost(address: str) -> WorkerLostError:
    return WorkerLostError(
        f"Beam lost its worker at {address}: it was killed, or its machine or network failed. "
        "See the output of the pool there; the next run continues after the last finished step."
    )
