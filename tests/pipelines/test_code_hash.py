"""Hash of a component's code: covers the modules that it imports and no others."""

import json
import pathlib
import subprocess
import sys

import pytest

from pipelines import code_hash as subject
from pipelines.code_hash import code_hash

REPOSITORY = pathlib.Path(__file__).parents[2]
EXAMPLE_GEN = "pipelines.components.example_gen"
TRANSFORM = ("pipelines.components.transform", "pipelines.components.transform_module")
TRAINER = "pipelines.training.trainer"


def modules(name):
    return set(subject._with_imports(name))


PROGRAM = """
import importlib, json, os, pathlib, sys, types
import tensorflow, tensorflow_transform, tfx.v1  # Once; each module of the project is imported in a process of its own.
project, jobs = json.loads(sys.argv[1])
for name, empty_packages in jobs.items():
    if os.fork() == 0:
        for package in empty_packages:
            module = types.ModuleType(package)
            module.__path__ = [str(pathlib.Path(*package.split(".")))]
            sys.modules[package] = module
        importlib.import_module(name)
        print(name, *(module for module in sys.modules if module.split(".")[0] in project), flush=True)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{name} cannot be imported")
"""
COMPONENTS = [EXAMPLE_GEN, "pipelines.components.span_merge", *TRANSFORM, TRAINER]


@pytest.fixture(scope="module")
def loaded():
    """Modules of the project that are loaded after the import of each component."""
    jobs = {}
    for name in COMPONENTS:
        found = modules(name)
        jobs[name] = sorted({one.removesuffix(".__init__") for one in found if one.endswith(".__init__")} - found)
    arguments = json.dumps([subject._PROJECT_PACKAGES, jobs])
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines() if line.split()[0] in jobs}


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_hash_covers_every_module_that_is_imported(loaded, name):
    """Packages that are not imported by name have an empty `__init__` here, so that they import nothing."""
    found = modules(name)
    assert name in loaded[name]
    assert loaded[name] <= found | {one.removesuffix(".__init__") for one in found if one.endswith(".__init__")}


def test_the_hash_of_example_gen_does_not_cover_models():
    found = modules(EXAMPLE_GEN)
    assert {
        "transforms.validation.validate",
        "transforms.readers.csv_reader",
        "transforms.examples.shards",
        "tfmtl.spec",
        "tfmtl.features",
    } <= found
    assert not {
        one for one in found if one.startswith(("tfmtl.models", "tfmtl.layers", "transforms.ali_ccp", "serving"))
    }
    assert not {"transforms.simulation.simulator", "transforms.preprocessing"} & found
    assert "tfmtl.models.mmoe" in modules(TRAINER)


def test_the_hash_of_the_evaluator_covers_metrics_gates_and_the_server_that_replays_requests():
    assert {
        "pipelines.evaluation.accumulator",
        "pipelines.evaluation.block_statistics",
        "pipelines.evaluation.slice_metrics",
        "pipelines.evaluation.scoring",
        "pipelines.gates.scenario_gates",
        "serving.server_check",
        "tfmtl.metrics.gauc",
    } <= modules("pipelines.components.evaluator")


def test_the_hash_changes_only_with_the_code_it_covers(tmp_path, monkeypatch):
    for name, text in {
        "__init__": "",
        "a": "from pack import b\nimport os\nif TYPE_CHECKING:\n    import pack.d",
        "b": "import pack.c",
        "c": "",
        "d": "",
        "e": "registry = {'f': ('pack.f', 'not.a.module', 'text')}",
        "f": "",
    }.items():
        (tmp_path / "pack").mkdir(exist_ok=True)
        (tmp_path / f"pack/{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(subject, "_PROJECT_PACKAGES", ("pack",))
    of_module, of_package = code_hash("pack.a"), code_hash("pack")
    (tmp_path / "pack/d.py").write_text("x = 1")
    assert code_hash("pack.a") == of_module
    assert code_hash("pack") != of_package
    (tmp_path / "pack/c.py").write_text("x = 1")
    assert code_hash("pack.a") != of_module
    of_registry = code_hash("pack.e")
    (tmp_path / "pack/f.py").write_text("x = 1")
    assert code_hash("pack.e") != of_registry
    with pytest.raises(ValueError, match=r"packages and modules of this project. Received: 'pack.none'"):
        code_hash("pack.none")


def test_rejects_modules_of_other_projects():
    with pytest.raises(ValueError, match="Received: 'json'"):
        code_hash("json")
