"""Logs that grow: patterns whose placeholders say which span of time, a day mostly, a file is of.

The notation is that of TFX's ExampleGen (https://www.tensorflow.org/tfx/guide/examplegen, "Span, version and split").
"""

import dataclasses
import datetime
import functools
import re
from collections.abc import Mapping

from transforms.storage.files import find_files

_EPOCH = datetime.date(1970, 1, 1)
_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION)(?::(\d+))?\}|\{(YYYY|MM|DD)\}")
_DATE = {"YYYY": 4, "MM": 2, "DD": 2}
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_WILD_PART = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^]]+\]")


@dataclasses.dataclass(frozen=True)
class SpanPattern:
    """A pattern with placeholders: `day-{SPAN}/*.csv`, or `{YYYY}-{MM}-{DD}/part-*.parquet`.

    `{SPAN}` is a number without leading zeros, `{SPAN:4}` one of four digits; `{YYYY}`, `{MM}` and `{DD}` are a date,
    whose span is its days since 1970-01-01. Of a span with `{VERSION}` (or `{VERSION:2}`), which may stand in the
    pattern once more, only the newest version counts.

    Args:
        pattern: of files, from their folder on.

    Raises:
        ValueError: if placeholders are missing, stand there twice, or do not go together.
    """

    pattern: str

    def __post_init__(self):
        names = self._names
        expected = "one {SPAN}, or one {YYYY}, {MM} and {DD} each, and at most one {VERSION}"
        spans = sorted(name for name in names if name != "VERSION")
        if spans not in (["SPAN"], ["DD", "MM", "YYYY"]) or names.count("VERSION") > 1:
            raise ValueError(f"should have {expected}. Received: {self.pattern!r}")

    @property
    def by_date(self) -> bool:
        """Whether spans are dates."""
        return "YYYY" in self._names

    @property
    def files(self) -> str:
        """The pattern of the files of all spans, for `transforms.storage.files.find_files`."""
        return _PLACEHOLDER.sub("*", self.pattern)

    def find(self, folder: str, span: int | None = None) -> dict[int, int | None]:
        """The spans of which there are files, in order, each with its newest version (None without `{VERSION}`).

        With a `span`, only files of this one are looked for.

        Files whose names have other characters in place of a number are of no span.

        Raises:
            ValueError: naming the file, if a date is none, or a number has leading zeros and no width is given.
        """
        found: dict[int, int | None] = {}
        start = len(folder.rstrip("/")) + 1
        for path in find_files(f"{folder.rstrip('/')}/{self.files if span is None else self.at(span)}"):
            match = self._regex.fullmatch(path[start:])
            if match is None:
                continue
            span, version = self._numbers(match.groupdict(), path)
            found[span] = max(version, found.get(span) or 0) if version is not None else None
        return dict(sorted(found.items()))

    def at(self, span: int, version: int | None = None) -> str:
        """The pattern of the files of one span, and of one version of it (of all by default)."""
        date = _EPOCH + datetime.timedelta(span) if self.by_date else _EPOCH
        values = {"SPAN": span, "VERSION": version, "YYYY": date.year, "MM": date.month, "DD": date.day}

        def fill(match: re.Match) -> str:
            name, width, date_name = match.groups()
            if name == "VERSION" and version is None:
                return "*"
            return str(values[name or date_name]).zfill(int(width or _DATE.get(date_name, 0)))

        return _PLACEHOLDER.sub(fill, self.pattern)

    def name(self, span: int) -> str:
        """What a person calls a span: its date or its number."""
        return str(_EPOCH + datetime.timedelta(span)) if self.by_date else str(span)

    @property
    def _names(self) -> list[str]:
        return [match[1] or match[3] for match in _PLACEHOLDER.finditer(self.pattern)]

    @functools.cached_property
    def _regex(self) -> re.Pattern:
        regex, place = "", 0
        for match in _PLACEHOLDER.finditer(self.pattern):
            name, width = match[1] or match[3], match[2] or _DATE.get(match[3])
            digits = rf"\d{{{width}}}" if width else r"\d+"
            regex += f"{_glob_regex(self.pattern[place : match.start()])}(?P<{name}>{digits})"
            place = match.end()
        return re.compile(regex + _glob_regex(self.pattern[place:]))

    def _numbers(self, texts: Mapping[str, str], path: str) -> tuple[int, int | None]:
        for name in ("SPAN", "VERSION"):
            text = texts.get(name, "0")
            if f"{{{name}}}" in self.pattern and text != str(int(text)):
                expected = f"should have no leading zeros, or a width in the pattern, such as {{{name}:{len(text)}}}"
                raise ValueError(f"{path}: {expected}. Received: {text}")
        version = int(texts["VERSION"]) if "VERSION" in texts else None
        if not self.by_date:
            return int(texts["SPAN"]), version
        try:
            date = datetime.date(int(texts["YYYY"]), int(texts["MM"]), int(texts["DD"]))
        except ValueError as error:
            raise ValueError(f"{path}: should have a date in it. Received: {error}") from error
        return (date - _EPOCH).days, version


def has_spans(pattern: str) -> bool:
    """Whether there are placeholders in a pattern."""
    return _PLACEHOLDER.search(pattern) is not None


def _glob_regex(pattern: str) -> str:
    regex, place = "", 0
    for match in _WILD_PART.finditer(pattern):
        wild = match[0]
        some = re.sub(r"^\[!", "[^", wild).replace("\\", r"\\")
        regex += re.escape(pattern[place : match.start()]) + _WILD.get(wild, some)
        place = match.end()
    return regex + re.escape(pattern[place:])
