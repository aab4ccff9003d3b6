"""Commands for the Docker engine."""

import subprocess

HARDENED = (
    *("--user", "10001:10001"),
    "--read-only",
    *("--network", "none"),
    *("--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
    *("--tmpfs", "/tmp"),
)
"""Options of a container without rights, network, and files that it could write; the user is not one of the image."""


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of Docker's client and returns what it printed, whether or not it failed."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True)


def done(*arguments: str) -> str:
    """Runs a command of Docker's client, which should not fail, and returns its standard output."""
    result = docker(*arguments)
    assert result.returncode == 0, f"docker {' '.join(arguments)}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout
