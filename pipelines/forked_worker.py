"""Process of a `ForkServer`: `python -m pipelines.forked_worker DESCRIPTOR MODULE ...`.

It imports the modules and forks itself for each request that it receives from the socket, so that a worker begins with
the modules imported. Only modules that start no threads may be imported: a forked process has one thread.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_REQUEST_BYTES = 65_536
_DESCRIPTORS = 3
"""Standard input and output of the worker, and the pipe to which its process id and exit code are written."""
_Status = tuple[int, int]
"""Process id, and descriptor of the pipe for the exit code."""


def main() -> None:
    """Imports the modules and serves requests until the other end of the socket is closed."""
    descriptor, *modules = sys.argv[1:]
    os.close(os.pidfd_open(os.getpid()))  # Fails here, before a worker depends on it, where it is not permitted.
    for module in modules:
        with contextlib.suppress(ImportError):  # A worker that needs it reports the error.
            importlib.import_module(module)
    gc.freeze()  # A collection in a worker would write to, and so copy, every object of this process.
    with socket.socket(fileno=int(descriptor)) as requests:
        _serve(requests)
    os._exit(0)


def _serve(requests: socket.socket) -> None:
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                _report_end(selector, key.fd, key.data)
                continue
            message, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, _DESCRIPTORS)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                _leave(selector, requests)
                _work(json.loads(message), descriptors)
            standard_input, output, status = descriptors
            os.close(standard_input)
            os.close(output)
            _tell(status, pid)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))


def _report_end(selector: selectors.BaseSelector, process: int, status: _Status) -> None:
    """Writes the exit code of a worker that has ended, and closes its descriptors."""
    pid, pipe = status
    _, wait_status = os.waitpid(pid, 0)
    _tell(pipe, os.waitstatus_to_exitcode(wait_status))
    os.close(pipe)
    selector.unregister(process)
    os.close(process)


def _tell(pipe: int, number: int) -> None:
    """Writes a line to a pipe, unless its other end is closed."""
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, f"{number}\n".encode())


def _leave(selector: selectors.BaseSelector, requests: socket.socket) -> None:
    """Closes what a worker inherited of the server, so that each of its pipes ends with its own process."""
    for key in selector.get_map().values():
        if key.data is not None:
            os.close(key.fd)
            os.close(key.data[1])
    selector.close()
    requests.close()


def _work(request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Runs a module as `python -m` does, with its own standard streams, and ends the process."""
    code = 1
    try:
        standard_input, output, status = descriptors
        os.close(status)
        for source, target in ((standard_input, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.close(standard_input)
        os.close(output)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process.
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
        os.environ.update(request["environment"])
        sys.argv = [request["module"], *request["arguments"]]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # It ends when its parent closes the socket.
    main()
