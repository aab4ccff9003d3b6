"""Span patterns: file patterns with placeholders for the span of time, usually a day, and the version of a file.

References:
    The notation is that of TFX's ExampleGen, https://www.tensorflow.org/tfx/guide/examplegen, "Span, version and
    split".
"""

import dataclasses
import datetime
import functools
import re
from collections.abc import Mapping

from tfmtl.config import ConfigError
from transforms.storage.files import find_files

_EPOCH = datetime.date(1970, 1, 1)
_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION)(?::(\d+))?\}|\{(YYYY|MM|DD)\}")
_DATE_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2}
_WILDCARD_REGEXES = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_WILDCARD = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^]]+\]")


@dataclasses.dataclass(frozen=True)
class SpanPattern:
    """File pattern with placeholders, such as `day-{SPAN}/*.csv` or `{YYYY}-{MM}-{DD}/part-*.parquet`.

    `{SPAN}` is a number without leading zeros, and `{SPAN:4}` a number of four digits. `{YYYY}`, `{MM}` and `{DD}` are
    a date, whose span is the number of days since 1970-01-01. The pattern may also hold one `{VERSION}` (or
    `{VERSION:2}`); then only the newest version of a span is used.

    Attributes:
        pattern: Pattern of the files' paths relative to their folder.

    Raises:
        ValueError: If placeholders are missing, are repeated, or cannot be combined.
    """

    pattern: str

    def __post_init__(self) -> None:
        names = self._names
        expected = "one {SPAN}, or one {YYYY}, {MM} and {DD} each, and at most one {VERSION}"
        spans = sorted(name for name in names if name != "VERSION")
        if spans not in (["SPAN"], ["DD", "MM", "YYYY"]) or names.count("VERSION") > 1:
            raise ValueError(f"should have {expected}. Received: {self.pattern!r}")

    @property
    def by_date(self) -> bool:
        """True if spans are dates, False if they are numbers."""
        return "YYYY" in self._names

    @property
    def files(self) -> str:
        """Pattern of the files of all spans, for `transforms.storage.files.find_files`."""
        return _PLACEHOLDER.sub("*", self.pattern)

    def find(self, folder: str, span: int | None = None) -> dict[int, int | None]:
        """Finds the spans that have files.

        Files whose names hold other characters in place of a number are ignored.

        Args:
            folder: Folder of the files.
            span: Number of the only span to look for. By default all spans are found.

        Returns:
            The newest version of each span, None without `{VERSION}`, in the order of the spans.

        Raises:
            ValueError: If a date is invalid, or a number has leading zeros although the placeholder has no width; the
                message names the file.
        """
        newest: dict[int, int | None] = {}
        start = len(folder.rstrip("/")) + 1
        for path in find_files(f"{folder.rstrip('/')}/{self.files if span is None else self.span_files(span)}"):
            match = self._regex.fullmatch(path[start:])
            if match is None:
                continue
            number, version = self._parse(match.groupdict(), path)
            newest[number] = max(version, newest.get(number) or 0) if version is not None else None
        return dict(sorted(newest.items()))

    def span_files(self, span: int, version: int | None = None) -> str:
        """Returns the pattern of the files of one span, for `transforms.storage.files.find_files`.

        Args:
            span: Number of the span.
            version: Version of the files. By default the pattern matches the files of all versions.
        """
        date = _EPOCH + datetime.timedelta(span) if self.by_date else _EPOCH
        values = {"SPAN": span, "VERSION": version, "YYYY": date.year, "MM": date.month, "DD": date.day}

        def fill(match: re.Match[str]) -> str:
            name, width, date_name = match.groups()
            if name == "VERSION" and version is None:
                return "*"
            return str(values[name or date_name]).zfill(int(width or _DATE_WIDTHS.get(date_name, 0)))

        return _PLACEHOLDER.sub(fill, self.pattern)

    def name(self, span: int) -> str:
        """Returns the name of a span that messages show: its date or its number.

        Args:
            span: Number of the span.
        """
        return str(_EPOCH + datetime.timedelta(span)) if self.by_date else str(span)

    def number(self, name: str) -> int:
        """Returns the number of the span of a name, the inverse of `name`.

        Args:
            name: Date (`2026-11-29`), or number.

        Raises:
            ConfigError: If the name is neither.
        """
        try:
            return (datetime.date.fromisoformat(name) - _EPOCH).days if self.by_date else int(name)
        except ValueError as error:
            expected = "a date such as 2026-11-29" if self.by_date else "the number of a span"
            raise ConfigError(f"date should be {expected}. Received: {name!r}") from error

    @property
    def _names(self) -> list[str]:
        return [match[1] or match[3] for match in _PLACEHOLDER.finditer(self.pattern)]

    @functools.cached_property
    def _regex(self) -> re.Pattern[str]:
        """Regular expression of the paths, with a group for each placeholder."""
        regex, position = "", 0
        for match in _PLACEHOLDER.finditer(self.pattern):
            name, width = match[1] or match[3], match[2] or _DATE_WIDTHS.get(match[3])
            digits = rf"\d{{{width}}}" if width else r"\d+"
            regex += f"{_glob_regex(self.pattern[position : match.start()])}(?P<{name}>{digits})"
            position = match.end()
        return re.compile(regex + _glob_regex(self.pattern[position:]))

    def _parse(self, groups: Mapping[str, str], path: str) -> tuple[int, int | None]:
        """Returns span and version of a path, given the digits of each placeholder."""
        for name in ("SPAN", "VERSION"):
            digits = groups.get(name, "0")
            if f"{{{name}}}" in self.pattern and digits != str(int(digits)):
                expected = f"should have no leading zeros, or a width in the pattern, such as {{{name}:{len(digits)}}}"
                raise ValueError(f"{path}: {expected}. Received: {digits}")
        version = int(groups["VERSION"]) if "VERSION" in groups else None
        if not self.by_date:
            return int(groups["SPAN"]), version
        try:
            date = datetime.date(int(groups["YYYY"]), int(groups["MM"]), int(groups["DD"]))
        except ValueError as error:
            raise ValueError(f"{path}: should contain a valid date. Received: {error}") from error
        return (date - _EPOCH).days, version


def has_spans(pattern: str) -> bool:
    """Returns whether a file pattern has placeholders.

    Args:
        pattern: Pattern of files, with or without placeholders.
    """
    return _PLACEHOLDER.search(pattern) is not None


def _glob_regex(pattern: str) -> str:
    """Translates wildcards to a regular expression."""
    regex, position = "", 0
    for match in _WILDCARD.finditer(pattern):
        wildcard = match[0]
        character_set = re.sub(r"^\[!", "[^", wildcard).replace("\\", r"\\")
        regex += re.escape(pattern[position : match.start()]) + _WILDCARD_REGEXES.get(wildcard, character_set)
        position = match.end()
    return regex + re.escape(pattern[position:])
