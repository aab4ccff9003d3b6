"""ModelInfo: the description of a model, which needs neither Keras nor TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfmtl.models.options.base import ModelOptions

DEFAULT = "default"
"""Name of the preset with which a settings file starts."""
COMMON_DEFAULTS: Mapping[str, Any] = {"wide": True, "count_loss": "relative"}
"""Options of the preset `default` of every model."""


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """Description of a model.

    Attributes:
        name: Name of the model in settings and on the command line.
        class_name: Name of the model's class.
        module: Module that defines the class; it imports TensorFlow.
        options_class: Class of the model's options.
        summary: Description in a few words, without a period.
        paper: Authors, year, title and conference of the paper.
        equations: Equations or sections of the paper that the model implements.
        defaults: Options with which a settings file starts, besides those of every model: the preset `default`. The
            defaults of the class are sizes of papers; these were chosen by measurement, so that
            the model is not worse than logistic regression on logs of any size.
        presets: Options of the paper's experiments by preset name.

    Example:
        >>> from tfmtl.models.options.mmoe import INFO
        >>> INFO.name, INFO.class_name, INFO.options_class().num_experts
        ('mmoe', 'MMoE', 8)
    """

    name: str
    class_name: str
    module: str
    options_class: type[ModelOptions]
    summary: str
    paper: str = ""
    equations: str = ""
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def preset(self, name: str) -> dict[str, Any]:
        """Returns the options of a preset: `default`, or those of an experiment in the model's paper.

        Args:
            name: Name of the preset.

        Raises:
            ValueError: If the model has no preset of this name; the message lists the presets.
        """
        return find_preset(self.class_name, self.defaults, self.presets, name)

    def options(self, preset: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a preset, with those that are given in their place.

        Args:
            preset: Name of the preset; None for the defaults of the class.
            given: Options as plain data.

        Raises:
            ValueError: If the model has no preset of this name; the message lists the presets.

        Example:
            >>> from tfmtl.models.options.mmoe import INFO
            >>> INFO.options("default", {"num_experts": 8})["num_experts"]
            8
        """
        options = {} if preset is None else self.preset(preset)
        if "backbone" in given and given["backbone"] != options.get("backbone"):
            options.pop("backbone_options", None)  # They are those of another model.
        return {**options, **given}


def find_preset(
    class_name: str, defaults: Mapping[str, Any], presets: Mapping[str, Mapping[str, Any]], name: str
) -> dict[str, Any]:
    """Returns the options of a preset.

    Args:
        class_name: Name of the model's class, for the error message.
        defaults: Options of the preset `default`, besides those of every model.
        presets: Other presets of the model by name.
        name: Name of the preset.

    Raises:
        ValueError: If there is no preset of this name; the message lists the presets.
    """
    known = {DEFAULT: {**COMMON_DEFAULTS, **defaults}, **presets}
    if name not in known:
        expected = f"a preset of {class_name}: {', '.join(known)}"
        raise ValueError(f"`name` should be {expected}. Received: {name!r}")
    return dict(known[name])
