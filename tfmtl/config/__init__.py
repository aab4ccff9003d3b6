"""Strict loading of YAML into frozen dataclasses, with errors that name the file, the line and the field.

The type annotations of a dataclass are its schema. `build` converts plain data to the dataclass, `to_plain` converts it
back. Unknown fields, missing fields, wrong types and values that the dataclass itself rejects (by `require` in its
`__post_init__`) all raise a `ConfigError`.
"""

from tfmtl.config.conversion import build, defaults_of, to_plain
from tfmtl.config.document import Document, dump_yaml, overlay, parse_yaml, read_yaml
from tfmtl.config.errors import ConfigError, FieldError, Path, require
from tfmtl.config.renaming import RenamedWarning

__all__ = [
    "ConfigError",
    "Document",
    "FieldError",
    "Path",
    "RenamedWarning",
    "build",
    "defaults_of",
    "dump_yaml",
    "overlay",
    "parse_yaml",
    "read_yaml",
    "require",
    "to_plain",
]
