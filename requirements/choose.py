"""Print the Python to build `.venv` with and the lock to build it from, or say in one sentence why none fits.

Usage: `python3 requirements/choose.py python3 python3.13 ...`. The first of the named interpreters that a lock fits is
taken; what counts is its version, its C library and its machine. Only the standard library is used and Python 3.6 is
enough, because the Python that runs this file may be one that is refused.
"""

import json
import subprocess
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

PROBE = """
import importlib.util, json, os, platform, sys
try:
    libc, libc_version = os.confstr("CS_GNU_LIBC_VERSION").split()
except (AttributeError, OSError, ValueError):
    libc, libc_version = "", ""
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),  # not that of a venv
    "implementation": platform.python_implementation(),
    "python": sys.version_info[:2],
    "libc": libc,
    "libc_version": libc_version,
    "system": platform.system(),
    "machine": platform.machine(),
    "has_venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
}))
"""


class Lock(NamedTuple):
    """A lock file and where its compiled packages run."""

    path: str
    pythons: Tuple[Tuple[int, int], ...]
    glibc: Tuple[int, int]


LOCKS = (  # the newest first: the first that fits is taken
    Lock("requirements/tfx-1.21.txt", ((3, 11), (3, 12), (3, 13)), (2, 39)),
    Lock("requirements/tfx-1.16.txt", ((3, 11),), (2, 28)),
)


class Unfit(Exception):
    """No lock fits; the message says what would."""


def choose(
    python: Tuple[int, int], libc: str, libc_version: str, machine: str = "x86_64", system: str = "Linux"
) -> str:
    """Return the path of the lock that fits an interpreter.

    Args:
        python: Its version, (major, minor).
        libc: Name of its C library; anything but "glibc" is refused.
        libc_version: Version of that library, such as "2.36".
        machine: Machine as `platform.machine()` names it.
        system: Operating system as `platform.system()` names it.

    Raises:
        Unfit: If no lock fits.
    """
    if system != "Linux" or machine != "x86_64" or libc != "glibc":
        libc_missing = " without glibc" if system == "Linux" and libc != "glibc" else ""
        raise Unfit(
            "The machine should be Linux on x86_64 with glibc, the only kind TFX is built for (the Dockerfile makes an "
            f"image that fits). Received: {system} on {machine}{libc_missing}."
        )
    glibc = tuple(int(part) for part in libc_version.split(".")[:2])
    within = [lock for lock in LOCKS if glibc >= lock.glibc]
    if not within:
        oldest = min(lock.glibc for lock in LOCKS)
        raise Unfit(f"glibc should be {dotted(oldest)} or newer. Received: {libc_version}.")
    for lock in within:
        if python in lock.pythons:
            return lock.path
    fit = " or ".join(sorted({dotted(version) for lock in within for version in lock.pythons}))
    later = [f", which needs glibc {dotted(lock.glibc)} or newer" for lock in LOCKS if python in lock.pythons]
    raise Unfit(
        f"Python should be {fit} with this machine's glibc {libc_version}; name one with "
        f"`make PYTHON=/path/to/python`. Received: Python {dotted(python)}{''.join(later)}."
    )


def dotted(version: Tuple[int, int]) -> str:
    """Return a version as it is written."""
    return ".".join(str(part) for part in version)


def probe(command: str) -> Optional[Dict[str, Any]]:
    """Ask an interpreter what it is; None if there is none of that name or it does not start."""
    try:
        run = subprocess.run([command, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        return json.loads(run.stdout.decode())
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def lock_for(facts: Dict[str, Any]) -> str:
    """Return the path of the lock for an interpreter that was probed.

    Raises:
        Unfit: If no lock fits, or no venv can be made with it.
    """
    if facts["implementation"] != "CPython":
        raise Unfit(f"Python should be CPython. Received: {facts['implementation']}.")
    python = (facts["python"][0], facts["python"][1])
    lock = choose(python, facts["libc"], facts["libc_version"], facts["machine"], facts["system"])
    if not facts["has_venv"]:
        raise Unfit(
            "Python should have the modules venv and ensurepip, on Debian and Ubuntu those of "
            f"`apt install python{dotted(python)}-venv`. Received: {facts['executable']} without them."
        )
    return lock


def choose_interpreter(commands: List[str]) -> Tuple[str, str]:
    """Return (path of the interpreter, path of the lock) for the first command that a lock fits.

    Raises:
        Unfit: If none fits; the message tells about the first command that is there.
    """
    reasons = []
    for command in commands:
        facts = probe(command)
        if facts is None:
            continue
        try:
            return facts["executable"], lock_for(facts)
        except Unfit as reason:
            reasons.append(str(reason))
    raise Unfit([*reasons, f"Python should be on the PATH. Received: no {', '.join(commands)}."][0])


def main() -> None:
    """Print the two paths, a line each, or leave with the sentence."""
    try:
        print("\n".join(choose_interpreter(sys.argv[1:])))
    except Unfit as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
