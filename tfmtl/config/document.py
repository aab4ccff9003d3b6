"""YAML documents: plain data with the file and the line of each field."""

import dataclasses
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tfmtl.config.errors import ConfigError, Path, dotted


@dataclasses.dataclass(frozen=True)
class Document:
    """Plain data read from YAML, with the line of each field.

    Attributes:
        data: Nested dicts, lists and scalars.
        source: Name of the text in errors, usually the path of its file.
        lines: Line of each field by its path; the first line is 1.
        sources: Name of the text of a section by the section's name, for sections that come from another text than
            `source`.

    Example:
        >>> from tfmtl.config import Document
        >>> print(Document({"name": 3}).error(("name",), "should be a string. Received: 3"))
        name: should be a string. Received: 3
    """

    data: Any
    source: str = ""
    lines: dict[Path, int] = dataclasses.field(default_factory=dict)
    sources: dict[str, str] = dataclasses.field(default_factory=dict)

    def without(self, section: str) -> "Document":
        """Returns the document without one of its top-level fields."""
        return dataclasses.replace(self, data={name: value for name, value in self.data.items() if name != section})

    def error(self, path: Path, message: str) -> ConfigError:
        """Returns an error about a field, with the file and the line of the field or of its nearest known parent.

        Args:
            path: Path of the field.
            message: Description of the mistake, of the form "should be ... Received: ...".
        """
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known)
        source = self.sources.get(str(path[0]), self.source) if path else self.source
        location = ":".join(part for part in (source, str(line) if line else "") if part)
        return ConfigError(": ".join(part for part in (location, dotted(path), message) if part))


def read_yaml(path: str | pathlib.Path) -> Document:
    """Reads a YAML file.

    Args:
        path: Path of the file.

    Returns:
        The document, whose `source` is the path.

    Raises:
        ConfigError: If the file cannot be read or is not valid YAML.

    Example:
        >>> import pathlib, tempfile
        >>> from tfmtl.config import read_yaml
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "shop.yaml"
        ...     _ = path.write_text("name: shop")
        ...     read_yaml(path).data
        {'name': 'shop'}
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: should be a readable YAML file. Received: {problem}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str = "") -> Document:
    """Parses YAML text and records the line of every field.

    Numbers in scientific notation need no decimal point (`1e-3`), and dates stay strings. Both differ from YAML 1.1.

    Args:
        text: YAML or JSON text.
        source: Name of the text in errors, usually the path of its file.

    Returns:
        The document.

    Raises:
        ConfigError: If the text is not valid YAML, or a mapping has the same field twice.

    Example:
        >>> from tfmtl.config import parse_yaml
        >>> document = parse_yaml("{name: shop, day: 2026-11-20}")
        >>> document.data
        {'name': 'shop', 'day': '2026-11-20'}
        >>> document.lines[("day",)]
        1
    """
    lines: dict[Path, int] = {}
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _record_lines(root, (), lines, source)
        data = loader.construct_document(root) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        location = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{location}: should be valid YAML. Received: {problem}") from error
    return Document(data, source, lines)


def dump_yaml(data: Any) -> str:
    """Writes plain data as YAML text that `parse_yaml` reads back unchanged.

    Args:
        data: Nested dicts, lists and scalars.

    Returns:
        The YAML text. Strings that look like a number are quoted.

    Example:
        >>> from tfmtl.config import dump_yaml
        >>> print(dump_yaml({"name": "shop", "token": "1e3", "rate": 0.5}), end="")
        name: shop
        token: '1e3'
        rate: 0.5
    """
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False))


def overlay(top: Document, below: Document) -> Document:
    """Combines the top-level fields of two documents.

    Args:
        top: Document whose fields take precedence.
        below: Document whose fields are added where `top` does not have them. Fields are not merged recursively.

    Returns:
        The combined document. Errors name the source of the document from which a field comes.

    Example:
        >>> from tfmtl.config import overlay, parse_yaml
        >>> base = parse_yaml("{name: base, epochs: 3}", "base.yaml")
        >>> document = overlay(parse_yaml("name: mine", "mine.yaml"), base)
        >>> document.data
        {'epochs': 3, 'name': 'mine'}
        >>> print(document.error(("epochs",), "should be at most 2. Received: 3"))
        base.yaml:1: epochs: should be at most 2. Received: 3
    """
    added = [name for name in below.data if name not in top.data]
    lines = {path: line for path, line in below.lines.items() if path and path[0] in added}
    sources = {name: below.sources.get(name, below.source) for name in added}
    return Document(
        {**{name: below.data[name] for name in added}, **top.data},
        top.source,
        {**lines, **top.lines},
        {**sources, **top.sources},
    )


class _Loader(yaml.SafeLoader):
    """Loader that keeps dates as strings and a key `null` as a name, and reads `1e-3` as a number, unlike YAML 1.1."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _construct_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Iterator[dict[Any, Any]]:
    """Constructs a mapping, in which a key such as `null` is a string: it is the name of a field."""
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag == "tag:yaml.org,2002:null" and key.value:
            key.tag = "tag:yaml.org,2002:str"
    return loader.construct_yaml_map(node)


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


class _Dumper(yaml.SafeDumper):
    """Dumper that quotes strings that `_Loader` would read as a number."""


for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )


def _record_lines(node: yaml.Node, path: Path, lines: dict[Path, int], source: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # The loader raises an error, as such a key is not hashable.
            if key.value in seen:
                location = f"{source}:{key.start_mark.line + 1}"
                raise ConfigError(f"{location}: should name each field once. Received: {key.value}")
            seen.add(key.value)
            lines[(*path, key.value)] = key.start_mark.line + 1
            _record_lines(value, (*path, key.value), lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _record_lines(value, (*path, index), lines, source)
