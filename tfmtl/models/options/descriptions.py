"""Descriptions of options, which the docstrings of their classes hold."""

import inspect
import re


def option_descriptions(options_class: type) -> dict[str, str]:
    """Returns the descriptions of options by name, each on one line.

    Args:
        options_class: Class whose docstring, or that of a base class, describes the options in a section `Attributes`.

    Example:
        >>> from tfmtl.models import MMoEOptions
        >>> from tfmtl.models.options.descriptions import option_descriptions
        >>> option_descriptions(MMoEOptions)["num_experts"]
        'Number of experts, which all tasks share.'
    """
    described: dict[str, str] = {}
    for kind in reversed(options_class.__mro__):
        described |= _attributes(kind.__doc__ or "")
    return described


def _attributes(doc: str) -> dict[str, str]:
    """Returns the descriptions in the section `Attributes:` of a docstring by attribute name, each on one line."""
    section = re.search(r"\bAttributes:\n(.*?)(\n\n|$)", inspect.cleandoc(doc) + "\n\n", re.DOTALL)
    entries: dict[str, str] = {}
    name = ""
    for line in section.group(1).splitlines() if section else ():
        if entry := re.match(r"    (\w+): (.*)", line):
            name, entries[entry[1]] = entry[1], entry[2]
        elif name:
            entries[name] += " " + line.strip()
    return entries
