"""Compiled pipeline as a file, with the parameters that a run can give."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from tfmtl.config import ConfigError

_COMPILED = "should be a specification that `tfmtl compile` wrote"
_VERTEX = "Its own client submits it: google.cloud.aiplatform.PipelineJob"
_FLAGS = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class Specification:
    """Compiled pipeline.

    Attributes:
        path: File that `tfmtl compile` wrote.
        name: Name of the pipeline.
        steps: Names of its steps.
        parameters: Type of each parameter by name, such as `STRING`.
        required: Names of the parameters that have no default value.
    """

    path: pathlib.Path
    name: str
    steps: tuple[str, ...]
    parameters: Mapping[str, str]
    required: tuple[str, ...]

    def values(self, words: Iterable[str]) -> dict[str, Any]:
        """Returns the values of parameters, each as the type that the pipeline declares.

        Args:
            words: Parameters as `name=value`; lists and structures are JSON.

        Raises:
            ConfigError: If a word is no parameter of the pipeline, has a value of another type or is given twice.

        Example:
            >>> import pathlib
            >>> from pipelines.kubeflow.specification import Specification
            >>> parameters = {"data": "STRING", "rows": "NUMBER_INTEGER"}
            >>> Specification(pathlib.Path("shop.yaml"), "shop", ("Trainer",), parameters, ()).values(["rows=200"])
            {'rows': 200}
        """
        found: dict[str, Any] = {}
        for word in words:
            name, separator, text = word.partition("=")
            if not separator:
                raise ConfigError(f"--parameter should be NAME=VALUE. Received: {word!r}")
            if name not in self.parameters:
                names = ", ".join(self.parameters) or "none, as the pipeline has no parameters"
                raise ConfigError(f"--parameter should name one of: {names}. Received: {name!r}")
            if name in found:
                raise ConfigError(f"--parameter should name each parameter once. Received: {name!r} twice")
            found[name] = _value(name, text, self.parameters[name])
        return found


def read_specification(path: str) -> Specification:
    """Reads a compiled pipeline.

    Args:
        path: File that `tfmtl compile` wrote for Kubeflow Pipelines.

    Raises:
        ConfigError: If the file is not such a specification.
    """
    if path.endswith(".json"):
        raise ConfigError(f"{path} should be a .yaml file: .json is a job for Vertex AI. {_VERTEX}")
    if not path.endswith((".yaml", ".yml")):
        raise ConfigError(f"{path} {_COMPILED}, and end in .yaml. Received: {pathlib.Path(path).name}")
    try:
        documents = list(yaml.safe_load_all(pathlib.Path(path).read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(f"{path} {_COMPILED}. Received: a file that is not YAML ({problem})") from error
    first = documents[0] if documents else None
    if isinstance(first, Mapping) and "pipelineSpec" in first:
        raise ConfigError(f"{path} should be a specification. Received: a job for Vertex AI. {_VERTEX}")
    try:
        assert isinstance(first, Mapping)
        inputs = first["root"].get("inputDefinitions", {}).get("parameters", {})
        required = (name for name, one in inputs.items() if not ("defaultValue" in one or one.get("isOptional")))
        return Specification(
            pathlib.Path(path),
            first["pipelineInfo"]["name"],
            tuple(first["root"]["dag"]["tasks"]),
            {name: one.get("parameterType", "STRING") for name, one in inputs.items()},
            tuple(required),
        )
    except (AssertionError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} {_COMPILED}. Received: another YAML file") from error


def _value(name: str, text: str, kind: str) -> Any:
    """Returns the value of a parameter as its type."""
    readers: dict[str, tuple[Callable[[str], Any], str]] = {
        "NUMBER_INTEGER": (int, "a whole number"),
        "NUMBER_DOUBLE": (float, "a number"),
        "BOOLEAN": (lambda word: _FLAGS[word.lower()], "true or false"),
        "LIST": (lambda word: _json(word, list), "a list in JSON"),
        "STRUCT": (lambda word: _json(word, dict), "a mapping in JSON"),
    }
    if kind not in readers:
        return text
    read, expected = readers[kind]
    try:
        return read(text)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"--parameter {name} should be {expected}. Received: {text!r}") from error


def _json(text: str, kind: type) -> Any:
    value = json.loads(text)
    if not isinstance(value, kind):
        raise ValueError(text)
    return value
