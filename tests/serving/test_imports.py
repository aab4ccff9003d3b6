"""Modules that `tfmtl serve` imports besides those of TensorFlow, which bound its start and its memory."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
OWN = {"pipelines", "serving", "tfmtl"}
ALLOWED = {"click", "google", "grpc", "grpc_health", "rich", "pygments", "yaml", "_yaml"}
PROGRAM = """
import sys
import tensorflow
before = set(sys.modules)
import pipelines.cli
import pipelines.commands.serve
print(*(set(sys.modules) - before))
"""


def test_serve_imports_little_besides_tensorflow():
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "pipelines.commands.serve" in modules
    packages = {module.partition(".")[0] for module in modules if not module.startswith("_cython")}
    assert packages - set(sys.stdlib_module_names) <= OWN | ALLOWED
    assert not [module for module in modules if module.startswith(("tfmtl.layers", "tfmtl.models.", "serving.export"))]
    assert len(modules) < 400
