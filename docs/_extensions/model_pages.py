"""Contents that a page of a model derives from its class: paper, options, presets and example."""

import dataclasses
import inspect
import textwrap
import typing
from typing import Any

from markdown import MarkdownDirective, definition
from sphinx.application import Sphinx

from pipelines.settings_reference.texts import flow, type_name
from tfmtl.models import MODELS, ModelOptions, model_class
from tfmtl.models.options.descriptions import option_descriptions
from tfmtl.models.options.info import DEFAULT, ModelInfo


class ModelPage(MarkdownDirective):
    """Paper, options, presets and example of the model that the argument names."""

    required_arguments = 1

    def markdown(self) -> str:
        info = MODELS.info(self.arguments[0])
        parts = [_head(info), "## Options", _defaults_note(), *_options(info), *_presets(info), *_example(info)]
        return "\n\n".join(parts)


class CommonOptions(MarkdownDirective):
    """Options of every model."""

    def markdown(self) -> str:
        defaults = {field.name: getattr(ModelOptions(), field.name) for field in dataclasses.fields(ModelOptions)}
        settings = {**defaults, "wide": True, "count_loss": "relative"}
        return "\n".join(_definitions(ModelOptions, dataclasses.fields(ModelOptions), settings, defaults))


def _head(info: ModelInfo) -> str:
    places = f"`tfmtl.models.{info.class_name}`, with the options `tfmtl.models.{info.options_class.__name__}`"
    paper = f"{info.paper}{_places(info.equations)}"
    return f"- **Class**: {places}\n- **Paper**: {paper}\n- **In settings**: `model: {{name: {info.name}}}`"


def _places(equations: str) -> str:
    """Returns the equations or sections of a paper as the end of a sentence."""
    if not equations:
        return ""
    return f"; equations {equations}" if equations[0].isdigit() else f"; {equations}"


def _defaults_note() -> str:
    return (
        "The default is that of settings files; that of the class in Python follows where it is another one. "
        "All models have the [options of every model](/models/common-options.md) too."
    )


def _options(info: ModelInfo) -> list[str]:
    own = {name for kind in info.options_class.__mro__ if kind not in ModelOptions.__mro__ for name in _fields_of(kind)}
    fields = [field for field in dataclasses.fields(info.options_class) if field.name in own]
    python = {field.name: getattr(info.options_class(), field.name) for field in fields}
    settings = {**python, **{name: value for name, value in info.preset(DEFAULT).items() if name in python}}
    return ["\n".join(_definitions(info.options_class, tuple(fields), settings, python))]


def _fields_of(kind: type) -> list[str]:
    return list(inspect.get_annotations(kind))


def _definitions(kind: type, fields: Any, settings: dict[str, Any], python: dict[str, Any]) -> list[str]:
    hints, meanings = typing.get_type_hints(kind), option_descriptions(kind)
    lines = []
    for field in fields:
        default = f"`{flow(settings[field.name])}`"
        if flow(settings[field.name]) != flow(python[field.name]):
            default += f", in Python `{flow(python[field.name])}`"
        lines.append(definition(field.name, type_name(hints[field.name]), default, meanings[field.name]))
    return lines


def _presets(info: ModelInfo) -> list[str]:
    if not info.presets:
        return []
    lines = [
        f"- `{name}`: {f'`{flow(options)}`' if options else 'the defaults of the class'}"
        for name, options in info.presets.items()
    ]
    return ["## Presets", "Settings of papers, for `model: {name: ..., preset: ...}`:", "\n".join(lines)]


def _example(info: ModelInfo) -> list[str]:
    """Returns the example of the class's docstring, which a test runs."""
    doc = inspect.cleandoc(model_class(info.name).__doc__ or "")
    example = doc.partition("\nExample:\n")[2].partition("\n\n")[0]
    return ["## Example", f"```pycon\n{textwrap.dedent(example)}\n```"]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("model", ModelPage)
    app.add_directive("common-options", CommonOptions)
    return {"parallel_read_safe": True}
