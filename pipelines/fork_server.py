"""Worker processes that begin with modules already imported, which takes seconds for TensorFlow and Keras."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Self

from pipelines.worker_process import environment_of_worker, run_worker

TRAINING_LIBRARIES = ("keras", "tensorflow_transform", "sklearn.linear_model", "lightgbm")
"""Libraries that train and score models. None starts a thread when it is imported but OpenBLAS, which starts it again
after a fork."""
_KILLED = -signal.SIGKILL


class ForkServer:
    """Runs modules in processes that are forked from one that has imported libraries.

    The server starts with the first run. Where processes cannot be forked safely, on other systems than Linux, or if
    the server has ended, a run has a process of its own, as with `run_worker`.

    Args:
        libraries: Modules to import once. They must start no threads when they are imported: a forked process has one.
        environment: Variables of the environment of all runs, in addition to those of this process.

    Example:
        >>> from pipelines.fork_server import ForkServer
        >>> with ForkServer(["json"], {"NAME": "value"}) as workers:
        ...     workers.run("platform", [], "", lambda line: None)[0]
        0
    """

    def __init__(self, libraries: Sequence[str], environment: Mapping[str, str] | None = None):
        self._libraries = tuple(libraries)
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()  # Workers end with their standard input.
            self._process.wait()

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        request: str,
        on_line: Callable[[str], object],
        environment: Mapping[str, str] | None = None,
    ) -> tuple[int, list[str]]:
        """Runs a module in a process that ends with this one.

        Args:
            module: Name of the module; its main function calls `exit_with_parent`.
            arguments: Arguments of the module.
            request: Line that the module reads from its standard input.
            on_line: Called with each line that the module prints.
            environment: Variables of its environment in addition to those of all runs.

        Returns:
            Exit code, negative for a signal, and the lines that were printed, with their line breaks.
        """
        message = {"module": module, "arguments": list(arguments), "environment": dict(environment or {})}
        with contextlib.ExitStack() as stack:
            theirs, to_worker, output, status = _pipes(stack)
            sent = self._send(json.dumps(message).encode(), theirs)
            for descriptor in theirs:
                os.close(descriptor)
            pid = status.readline() if sent else ""
            if not pid:
                return run_worker(module, arguments, request, on_line, {**self._environment, **(environment or {})})
            try:
                with contextlib.suppress(BrokenPipeError):  # A worker that ended at once has printed why.
                    os.write(to_worker, f"{request}\n".encode())
                lines = []
                for line in output:
                    lines.append(line)
                    on_line(line.rstrip())
                return int(status.readline() or _KILLED), lines
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
                raise

    def _send(self, message: bytes, descriptors: Sequence[int]) -> bool:
        """Sends a request to the server, which is started if it has not been. Returns whether it was sent."""
        if not sys.platform.startswith("linux"):
            return False
        with self._lock:
            if self._socket is None:
                self._start()
            assert self._socket is not None
            try:
                socket.send_fds(self._socket, [message], list(descriptors))
            except OSError:
                return False
        return True

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "pipelines.forked_worker", str(theirs.fileno()), *self._libraries]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**environment_of_worker(), **self._environment},
            )


def _pipes(stack: contextlib.ExitStack) -> tuple[list[int], int, IO[str], IO[str]]:
    """Opens the pipes of a worker.

    Returns:
        The worker's ends: standard input, output and status. This process's ends, which the stack closes.
    """
    standard_input, to_worker = os.pipe()
    output, worker_output = os.pipe()
    status, worker_status = os.pipe()
    stack.callback(os.close, to_worker)
    read_output = stack.enter_context(os.fdopen(output, encoding="utf-8", errors="replace"))
    read_status = stack.enter_context(os.fdopen(status, encoding="utf-8"))
    return [standard_input, worker_output, worker_status], to_worker, read_output, read_status
