"""Imports of the library without the packages of its extras."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# TFT, imported by other tests, sets the variable that makes TensorFlow import tf_keras.
PLAIN = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}


def import_light(package: str, folder: Path) -> subprocess.CompletedProcess:
    """Imports the package in a folder with all distributions hidden that the library does not require."""
    return subprocess.run(
        [sys.executable, "-P", str(ROOT / "tests" / "import_light.py"), package],
        env={**PLAIN, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_library_is_imported_without_extras():
    run = import_light("tfmtl", ROOT)

    assert run.returncode == 0, run.stderr
    assert {"tfmtl.spec", "tfmtl.config"} <= set(run.stdout.split())


@pytest.mark.parametrize("module", ["tfx", "apache_beam", "tensorflow_transform", "grpc", "pandas", "pyarrow"])
def test_import_of_an_extra_fails(module, tmp_path):
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").touch()
    (tmp_path / "heavy" / "inner.py").write_text(f"import {module}\n", encoding="utf-8")

    run = import_light("heavy", tmp_path)

    assert run.returncode != 0
    assert f"No module named '{module}'" in run.stderr
