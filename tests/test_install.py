"""The choice and the build of the environment: requirements/choose.py, the locks, `make venv` with a fake Python."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
OLD, NEW = "requirements/tfx-1.16.txt", "requirements/tfx-1.21.txt"

spec = importlib.util.spec_from_file_location("choose", ROOT / "requirements" / "choose.py")
choose = importlib.util.module_from_spec(spec)
spec.loader.exec_module(choose)


@pytest.mark.parametrize(
    ("python", "glibc", "lock"),
    [
        ((3, 11), "2.28", OLD),
        ((3, 11), "2.36", OLD),
        ((3, 11), "2.38", OLD),
        ((3, 11), "2.39", NEW),
        ((3, 12), "2.39", NEW),
        ((3, 13), "2.41", NEW),
        ((3, 13), "3.0", NEW),
    ],
)
def test_lock_is_chosen_by_python_and_glibc(python, glibc, lock):
    assert choose.choose(python, "glibc", glibc) == lock
    assert (ROOT / lock).is_file()


@pytest.mark.parametrize(
    ("facts", "needed", "received"),
    [
        (((3, 12), "glibc", "2.36"), "3.11 with this", "Python 3.12, which needs glibc 2.39 or newer"),
        (((3, 13), "glibc", "2.38"), "3.11 with this", "Python 3.13, which needs glibc 2.39 or newer"),
        (((3, 10), "glibc", "2.36"), "3.11 with this", "Python 3.10."),
        (((3, 14), "glibc", "2.41"), "3.11 or 3.12 or 3.13 with", "Python 3.14."),
        (((2, 7), "glibc", "2.41"), "3.11 or 3.12 or 3.13 with", "Python 2.7."),
        (((3, 11), "glibc", "2.27"), "2.28 or newer", "2.27."),
        (((3, 11), "glibc", "2.9"), "2.28 or newer", "2.9."),
        (((3, 11), "", ""), "Linux on x86_64 with glibc", "Linux on x86_64 without glibc."),
        (((3, 11), "musl", "1.2"), "Linux on x86_64 with glibc", "Linux on x86_64 without glibc."),
        (((3, 11), "glibc", "2.36", "aarch64"), "Linux on x86_64 with glibc", "Linux on aarch64."),
        (((3, 11), "", "", "arm64", "Darwin"), "Linux on x86_64 with glibc", "Darwin on arm64."),
    ],
)
def test_refusal_lists_what_is_supported(facts, needed, received):
    with pytest.raises(choose.Unfit) as refusal:
        choose.choose(*facts)

    wanted, _, got = str(refusal.value).partition("Received: ")
    assert needed in wanted
    assert got.startswith(received)


@pytest.mark.parametrize("lock", [OLD, NEW])
def test_lock_pins_every_declared_requirement(lock):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    required = [line for line in [*project["dependencies"], *extras] if not line.startswith("tfmtl[")]
    pins = dict(
        line.partition(";")[0].strip().split("==")
        for line in (ROOT / lock).read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )

    requirements = [Requirement(line) for line in required]
    assert len(requirements) > 15
    assert [str(need) for need in requirements if not need.specifier.contains(pins[need.name.lower()])] == []
    assert {"uv", "pip", "setuptools", "tfx"} <= set(pins)


def test_probe_of_a_venv_reports_its_base_python(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)

    inner, outer = choose.probe(str(tmp_path / "bin" / "python")), choose.probe(sys.executable)

    assert inner == outer
    assert Path(inner["executable"]).is_file()
    assert not Path(inner["executable"]).is_relative_to(tmp_path)


def fake_python(folder: Path, **facts: object) -> Path:
    """Writes an interpreter that reports the given facts about itself and makes fake venvs.

    The pip of such a venv installs a uv that logs its arguments to calls.txt and fails as long as offline.txt exists.
    """
    told = {
        "executable": str(folder / "python"),
        "implementation": "CPython",
        "python": [3, 11],
        "libc": "glibc",
        "libc_version": "2.36",
        "system": "Linux",
        "machine": "x86_64",
        "has_venv": True,
        **facts,
    }
    log = f'#!/bin/sh\necho "$0 $@" >> {folder}/calls.txt\n'
    write_script(folder / "pip", log)
    write_script(folder / "uv", f"{log}[ $2 != sync ] || echo ' + package==1'\n[ ! -e {folder}/offline.txt ]\n")
    write_script(
        folder / "python",
        f"""#!/bin/sh
        case "$1 $2" in
        '-m venv') mkdir -p "$3/bin"; cp {folder}/uv {folder}/pip "$3/bin";;
        -c*) echo '{json.dumps(told)}';;
        *) exec {sys.executable} "$@";;
        esac
        """,
    )
    return folder / "python"


def write_script(path: Path, text: str) -> None:
    """Writes an executable file."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def tree(tmp_path):
    """Returns a folder with a copy of the files that `make venv` reads."""
    shutil.copytree(ROOT / "requirements", tmp_path / "tree" / "requirements")
    shutil.copy(ROOT / "Makefile", tmp_path / "tree")
    return tmp_path / "tree"


def make_venv(tree: Path, python: Path | str) -> subprocess.CompletedProcess:
    """Runs `make venv` in a tree."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "venv", f"PYTHON={python}"]
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"python": [3, 12]}, "Received: Python 3.12"),
        ({"libc": "", "libc_version": ""}, "without glibc"),
        ({"implementation": "PyPy"}, "Received: PyPy"),
        ({"has_venv": False}, "apt install python3.11-venv"),
    ],
)
def test_unsuitable_python_is_refused_before_anything_is_installed(facts, sentence, tree, tmp_path):
    run = make_venv(tree, fake_python(tmp_path, **facts))

    assert run.returncode != 0
    assert sentence in run.stderr.splitlines()[0]
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
    assert not (tree / ".venv").exists()


def test_missing_python_is_refused(tree, tmp_path):
    run = make_venv(tree, tmp_path / "absent")

    assert run.returncode != 0
    assert "Python should be on the PATH" in run.stderr.splitlines()[0]


def test_venv_is_built_once_and_again_when_the_lock_changes(tree, tmp_path):
    python, calls = fake_python(tmp_path), tmp_path / "calls.txt"

    first = make_venv(tree, python)
    assert first.returncode == 0, first.stderr
    built = calls.read_text(encoding="utf-8").splitlines()
    assert [call.split()[0] for call in built] == [".venv/bin/pip", ".venv/bin/uv", ".venv/bin/uv"]
    assert built[1].endswith(OLD)
    assert "package==1" not in first.stdout

    again = make_venv(tree, python)
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""
    assert calls.read_text(encoding="utf-8").splitlines() == built

    with (tree / OLD).open("a", encoding="utf-8") as lock:
        lock.write("one-more==1.0\n")
    assert make_venv(tree, python).returncode == 0
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 2 * len(built)


def test_venv_of_a_failed_installation_is_built_again(tree, tmp_path):
    python = fake_python(tmp_path)
    (tmp_path / "offline.txt").touch()
    assert make_venv(tree, python).returncode != 0
    assert (tree / ".venv").exists()

    (tmp_path / "offline.txt").unlink()
    assert "Building" in make_venv(tree, python).stdout
    assert make_venv(tree, python).stdout == ""
