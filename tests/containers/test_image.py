"""The image of the Dockerfile runs any command."""

import pytest

import tfmtl
from tests.containers.engine import docker, done
from tfmtl.models import MODELS

pytestmark = pytest.mark.long


def test_models_are_listed(image):
    listed = done("run", "--rm", image, "tfmtl", "models")
    assert {line.split()[0] for line in listed.splitlines() if line.strip()} >= set(MODELS)


def test_without_a_command_the_help_is_shown(image):
    assert done("run", "--rm", image).startswith("Usage: tfmtl")


@pytest.mark.parametrize(("command", "code"), [(["true"], 0), (["false"], 1), (["sh", "-c", "exit 7"], 7)])
def test_a_command_runs_as_it_is(image, command, code):
    assert docker("run", "--rm", image, *command).returncode == code


def test_a_module_runs_with_the_installed_package(image):
    script = "import tfmtl; print(tfmtl.__version__, tfmtl.__file__)"
    version, file = done("run", "--rm", image, "python", "-c", script).split()
    assert version == tfmtl.__version__
    assert file.startswith("/opt/venv/")
