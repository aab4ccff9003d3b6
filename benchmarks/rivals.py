"""Separate environment of torch-rechub, with which the package is compared."""

import pathlib
import subprocess
import sys

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements-rechub.txt")
DEFAULT_ENVIRONMENT = pathlib.Path(__file__).parents[1] / "build" / "benchmarks" / "rechub"
_STAMP = "built-from.txt"


def rival_python(environment: pathlib.Path) -> pathlib.Path:
    """Returns the Python of the environment, which is built by `venv` and `pip` unless it has these requirements.

    Args:
        environment: Folder of the environment.

    Raises:
        RuntimeError: If the environment cannot be built; the message has the output of the failed command.
    """
    python, stamp = environment / "bin" / "python", environment / _STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == _wanted_stamp():
        return python
    build = [sys.executable, "-m", "venv", "--clear", str(environment)]
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
    for command in (build, install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    stamp.write_text(_wanted_stamp(), encoding="utf-8")  # Last, so that an environment without it is not complete.
    return python


def rival_versions() -> list[str]:
    """Returns names and versions of torch and torch-rechub in the environment."""
    pins = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [pin.replace("==", " ") for pin in pins if pin.startswith("torch")]


def _wanted_stamp() -> str:
    return f"# Python {sys.version.split()[0]}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
