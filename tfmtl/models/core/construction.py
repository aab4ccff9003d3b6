"""Construction of models: constructors that build, and a `from_spec` whose signature lists the options."""

import dataclasses
import functools
import inspect
import textwrap
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from tfmtl import config
from tfmtl.models.options.descriptions import option_descriptions


def build_after(init: Callable[..., None]) -> Callable[..., None]:
    """Wraps a constructor so that the model is built when the constructor of its own class returns.

    Args:
        init: The `__init__` of a model class. A constructor that it calls, such as that of the base class, does not
            build.
    """

    @functools.wraps(init)
    def init_and_build(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is init_and_build and not self.built:
            # Layers are built by the call. Keras would first call a model that is not built symbolically, which takes
            # several times as long as the call.
            self.built = True
            self(self.zero_batch(), training=False)

    return init_and_build


def check_options(kind: Any, options: Any, arguments: Mapping[str, Any]) -> Any:
    """Returns the options of a model, by default those of its class.

    Args:
        kind: The model class.
        options: An instance of `kind.options_class`, or None.
        arguments: Other keyword arguments of the constructor.

    Raises:
        ValueError: If the options are of another class, or an option is given as a keyword argument.
    """
    expected = kind.options_class.__name__
    names = [field.name for field in dataclasses.fields(kind.options_class) if field.name in arguments]
    if names:
        ways = f"`options={expected}({names[0]}=...)` or `{kind.__name__}.from_spec(..., {names[0]}=...)`"
        raise ValueError(f"Options should be given as {ways}. Received: the argument `{names[0]}`")
    if options is None:
        return kind.options_class()
    if not isinstance(options, kind.options_class):
        raise ValueError(f"`options` should be an instance of {expected}. Received: {options!r}")
    return options


def saved_options(options_class: Any, plain: Mapping[str, Any]) -> Any:
    """Returns the options of a saved model. Former names of fields and values are accepted without a warning.

    Args:
        options_class: Dataclass of the options.
        plain: Plain data of the options, as saved.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", config.RenamedWarning)
        return config.build(options_class, config.Document(dict(plain)))


def from_spec_with_options(kind: Any) -> Any:
    """Returns the `from_spec` of a model class with a signature and a docstring that list the options by name.

    Args:
        kind: A model class, whose `options_class` is a dataclass.
    """
    original = inspect.unwrap(kind.from_spec.__func__)

    @functools.wraps(original)
    def from_spec(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return original(cls, *args, **kwargs)

    signature = inspect.signature(original)
    positional = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    from_spec.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*positional, *_option_parameters(kind.options_class)], return_annotation=kind
    )
    if original.__doc__:
        # Python 3.13 removes the indentation of docstrings, older versions do not.
        from_spec.__doc__ = inspect.cleandoc(original.__doc__).replace(_OPTIONS, _option_lines(kind.options_class))
    return classmethod(from_spec)


_OPTIONS = "**options: Fields of `options_class`."


def _option_parameters(options_class: Any) -> list[inspect.Parameter]:
    """Returns a keyword parameter for each field of a dataclass of options."""
    hints = typing.get_type_hints(options_class)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )
        for field in dataclasses.fields(options_class)
    ]


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _option_lines(options_class: Any) -> str:
    """Returns lines of a section `Args:` for the fields of a dataclass, from its docstring and those of its bases."""
    described = option_descriptions(options_class)
    lines = []
    for field in dataclasses.fields(options_class):
        text = described.get(field.name, "Option of the model.")
        entry = f"{field.name}: {text} Defaults to `{_default(field)!r}`."
        lines.append(textwrap.fill(entry, 120, initial_indent=4 * " ", subsequent_indent=8 * " "))
    return "\n".join(lines).lstrip()
