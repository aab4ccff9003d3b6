"""The public API: documented, annotated, and with examples that run."""

import dataclasses
import doctest
import importlib
import inspect
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfmtl

PACKAGES = ("health", "layers", "losses", "metrics", "models", "ops", "optimizers", "training")
SECTION = re.compile(
    r"^(Args|Attributes|Call arguments|Returns|Yields|Raises|Example|Examples|References):$", re.MULTILINE
)


def public_objects():
    """Returns each public class and function of the packages by its dotted name."""
    found = {"tfmtl.DatasetSpec": tfmtl.DatasetSpec}
    for package in PACKAGES:
        module = importlib.import_module(f"tfmtl.{package}")
        found |= {f"tfmtl.{package}.{name}": getattr(module, name) for name in module.__all__}
    return found


OBJECTS = public_objects()
CALLABLES = {name: value for name, value in OBJECTS.items() if inspect.isclass(value) or inspect.isfunction(value)}
LAYERS = {name: value for name, value in CALLABLES.items() if name.startswith("tfmtl.layers.")}


def named(objects):
    return pytest.mark.parametrize("name", sorted(objects))


def sections(value):
    """Returns the text of each section of a docstring by its title; the text before the first one is under ""."""
    parts = SECTION.split(inspect.cleandoc(value.__doc__ or ""))
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters(value):
    """Returns the parameters of a function, or of the constructor of a class, that a user gives by name."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    signature = inspect.signature(value)
    return [p for p in signature.parameters.values() if p.kind not in kinds and not p.name.startswith("_")]


def described(text):
    """Returns the names that begin an entry of a section: `name: ...`, `name, other: ...` or `name (type): ...`."""
    entries = re.findall(r"^    (\*{0,2}\w[\w, *]*?)(?: \([^)]*\))?:", text, re.MULTILINE)
    return {name.strip().lstrip("*") for entry in entries for name in entry.split(",")}


def test_packages_list_what_they_have():
    for package in PACKAGES:
        module = importlib.import_module(f"tfmtl.{package}")
        assert sorted(module.__all__) == sorted(set(module.__all__))
        assert all(hasattr(module, name) for name in module.__all__)
        assert package in dir(tfmtl)
        assert getattr(tfmtl, package) is module
    assert len(CALLABLES) > 120


def test_layers_exports_layers_only():
    assert all(issubclass(value, keras.layers.Layer) for value in LAYERS.values())


def test_models_export_an_options_class_for_each_model():
    models = importlib.import_module("tfmtl.models")
    for model in models.MODELS.values():
        assert getattr(models, model.options_class.__name__) is model.options_class


@named(CALLABLES)
def test_docstring_begins_with_a_summary_line(name):
    lines = inspect.cleandoc(CALLABLES[name].__doc__ or "").splitlines()
    assert lines
    assert lines[0].endswith(".")
    assert len(lines) == 1 or lines[1] == ""


@named(CALLABLES)
def test_docstring_describes_every_parameter(name):
    value = CALLABLES[name]
    parts = sections(value)
    text = parts.get("Args", "") + parts.get("Attributes", "")
    missing = [p.name for p in parameters(value) if p.name not in described(text)]
    if dataclasses.is_dataclass(value):  # The fields that a base class has are described there.
        bases = [base for base in value.__mro__[1:] if dataclasses.is_dataclass(base)]
        inherited = {field.name for base in bases for field in dataclasses.fields(base)}
        missing = [field for field in missing if field not in inherited]
    assert missing == []


@named({name: value for name, value in CALLABLES.items() if inspect.isfunction(value)})
def test_function_says_what_it_returns(name):
    function = CALLABLES[name]
    returns = inspect.signature(function).return_annotation
    assert returns is not inspect.Signature.empty
    if returns not in (None, "None"):
        summary = inspect.cleandoc(function.__doc__).splitlines()[0]
        assert {"Returns", "Yields"} & set(sections(function)) or summary.startswith(("Returns", "Yields"))


@named(LAYERS)
def test_layer_describes_its_call(name):
    assert {"Call arguments", "Returns"} <= set(sections(LAYERS[name]))


@named(CALLABLES)
def test_parameters_are_annotated(name):
    assert [p.name for p in parameters(CALLABLES[name]) if p.annotation is inspect.Parameter.empty] == []


def public_methods(value):
    """Yields the methods and properties that a class itself defines, except those that override a documented one."""
    for name, member in vars(value).items():
        if name.startswith("_") or not (callable(getattr(value, name)) or isinstance(member, property)):
            continue
        if dataclasses.is_dataclass(value) and name in {field.name for field in dataclasses.fields(value)}:
            continue
        if not any(name in vars(base) for base in value.__mro__[1:]):
            yield name, getattr(member, "__func__", member)


@named({name: value for name, value in CALLABLES.items() if inspect.isclass(value)})
def test_methods_have_docstrings(name):
    missing = [method for method, member in public_methods(CALLABLES[name]) if not inspect.getdoc(member)]
    assert missing == []


@named(CALLABLES)
def test_example_runs(name):
    value = CALLABLES[name]
    module = sys.modules[value.__module__]
    scope = {"keras": keras, "np": np, "tfmtl": tfmtl, **vars(module)}
    tests = doctest.DocTestFinder(recurse=False).find(value, name, module=module, globs=scope)
    examples = [test for test in tests if test.examples]
    assert examples, "the docstring should hold an example (>>> ...)"
    for test in examples:
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        report = []
        runner.run(test, out=report.append)
        assert runner.failures == 0, "".join(report)


def test_import_is_light():
    program = "import sys, tfmtl; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "tfmtl" in loaded
    assert not {"keras", "tensorflow", "tfx", "apache_beam", "pandas", "pyarrow"} & loaded
