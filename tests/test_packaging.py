"""The distribution: declared requirements, the wheel, and environments that hold the base or one extra alone."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tfmtl
from tests.import_light import canonical

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UV = Path(sys.executable).with_name("uv")
LOCK = ROOT / ".venv" / "built-from.txt"
PACKAGES = {"": ["tfmtl"], "serving": ["tfmtl", "serving"], "pipeline": ["tfmtl", "serving", "transforms", "pipelines"]}
"""The packages of this repository that each extra is for; "" is the distribution without extras."""


def declared(extra: str) -> set[str]:
    """Returns the distributions that an extra requires, those of the base and of the extras it includes too."""
    lines = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else [])]
    names = set()
    for line in lines:
        included = re.match(r"tfmtl\[(\w+)\]", line)
        names |= declared(included[1]) if included else {canonical(re.match(r"[\w.-]+", line)[0])}
    return names


def imported_modules(package: str) -> Iterator[str]:
    """Yields the absolute names of the modules that a package imports from elsewhere, in functions too."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def distributions_of(modules: set[str]) -> dict[str, set[str]]:
    """Returns, for each imported top-level module that is installed, the distributions that provide it."""
    providers = importlib.metadata.packages_distributions()
    found = {}
    for module in modules:
        top = module.partition(".")[0]
        if top == "google":
            if module.startswith("google.protobuf"):
                found["google.protobuf"] = {"protobuf"}
        elif top in providers:
            found[top] = {canonical(name) for name in providers[top]}
    return found


@pytest.mark.parametrize("extra", list(PACKAGES))
def test_every_import_is_declared(extra):
    modules = {module for package in PACKAGES[extra] for module in imported_modules(package)}
    providers = distributions_of(modules)
    assert "tensorflow" in providers
    missing = {top for top, names in providers.items() if not names & ({"tfmtl"} | declared(extra))}
    assert missing == set()


def test_version_has_one_source():
    assert "version" in PROJECT["dynamic"]
    assert importlib.metadata.version("tfmtl") == tfmtl.__version__
    assert f"## {tfmtl.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {tfmtl.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def tracked_files() -> list[str]:
    """Returns the files of the repository that a clone has."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if (ROOT / name).exists()]


def uv(*arguments: str) -> None:
    """Runs uv, which `make venv` installs; skips the test where the package index cannot be reached."""
    unset = ("PYTHONPATH", "VIRTUAL_ENV", "TF_USE_LEGACY_KERAS")
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run([UV, *arguments], capture_output=True, text=True, env=environ)
    if "dns error" in done.stderr or "Network is unreachable" in done.stderr:
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    parts = ("setup.py", "pyproject.toml", "README.md", "LICENSE", *(f"{name}/" for name in PACKAGES["pipeline"]))
    for name in tracked_files():
        if name.startswith(parts):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    uv(
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "--no-build-isolation",
        "--out-dir",
        str(folder),
        str(source),
    )
    return next(folder.glob("*.whl"))


def test_wheel_holds_what_it_should(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {"tfmtl", "transforms", "pipelines", "serving"} == {top for top in tops if not top.endswith(".dist-info")}
    assert {"tfmtl/py.typed", "serving/deploy/docker-compose.yaml"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = {
        name for name in tracked.stdout.split() if name.startswith(tuple(f"{top}/" for top in PACKAGES["pipeline"]))
    }
    assert modules <= set(names)


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", "serving", pytest.param("pipeline", marks=pytest.mark.long)])
def test_environment_of_one_extra_imports_all_that_belongs_to_it(extra, wheel, tmp_path):
    """uv installs it with the lock's pins as constraints: pip refuses TFX 1.16 on Python 3.11."""
    environment = tmp_path / "environment"
    uv("venv", "--quiet", "--python", sys.executable, str(environment))
    python = str(environment / "bin" / "python")
    requirement = f"{wheel}[{extra}]" if extra else str(wheel)
    uv(
        *("pip", "install", "--quiet", "--python", python, requirement),
        *("--constraint", str(LOCK), "--override", str(ROOT / "requirements" / "overrides.in")),
    )
    program = """
import importlib, pkgutil, sys
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""
    command = [python, "-P", "-c", program, *PACKAGES[extra]]
    environ = {"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    assert {"tfmtl.models.mmoe"} <= set(imported)
    assert {name.partition(".")[0] for name in imported} == set(PACKAGES[extra])
