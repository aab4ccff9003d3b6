"""Pools of Beam workers in folders of their own, as other machines have them."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

RECORDER = """

_finish = ShardWriter.finish


def _recorded(self):
    from pathlib import Path
    import time
    with Path("shards.txt").open("a") as file:  # In the working directory of the pool.
        file.write(f"{os.getpid()} {self._name}\\n")
    time.sleep(float(os.environ.get("SECONDS_PER_FILE", 0)))
    _finish(self)


ShardWriter.finish = _recorded
"""
"""Code at the end of `transforms/examples/shards.py` of the workers, which notes who has written the rows of a file."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=60):
    end = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, f"nothing listens at {port}"
        time.sleep(0.2)


class Pool:
    """Process that starts workers on demand, each in a process of its own.

    Args:
        package: Folder of the code of the workers.
        folder: Working directory.
    """

    def __init__(self, package, folder, **variables):
        folder.mkdir(exist_ok=True)
        self.folder, self.port = folder, free_port()
        program = "import sys, transforms; print(transforms.__file__, flush=True)\n"
        program += "from apache_beam.runners.worker.worker_pool_main import main; main(sys.argv)"
        command = [sys.executable, "-P", "-c", program, f"--service_port={self.port}"]
        python = pathlib.Path(sys.executable).parent  # The pool starts workers as `python`.
        path = f"{python}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PYTHONPATH": str(package), "PATH": path, **variables}
        self._log = (folder / "pool.log").open("w")
        options = {"cwd": folder, "env": environment, "stdout": subprocess.PIPE, "stderr": self._log, "text": True}
        self.process = subprocess.Popen(command, start_new_session=True, **options)
        assert self.process.stdout.readline().startswith(str(package))
        wait_for(self.port)

    @property
    def shards(self):
        """Process and name of each file of the log whose rows a worker of the pool has written."""
        path = self.folder / "shards.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def kill(self):
        """Ends the pool and its workers as the loss of a machine does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self._log.close()
