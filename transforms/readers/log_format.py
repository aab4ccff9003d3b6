"""Format of the files of a raw log."""

import codecs
import dataclasses
import itertools
from collections.abc import Mapping

from tfmtl.config import require

AUTO = "auto"
"""Name that selects the reader by the file's name."""
FOLDER_READERS = ("movielens",)
"""Names of the readers that read a folder of different files; all others read each file by itself."""
NAMES = (AUTO, "csv", "parquet", "tfrecord", *FOLDER_READERS)
"""Names of all readers."""
_UNQUOTED = ("NULL", "null", "Null")
INGESTED = "ingested"
"""Name that stands for a folder that `tfmtl ingest` wrote, which no reader reads."""


@dataclasses.dataclass(frozen=True)
class LogFormat:
    r"""Format of the files of a raw log.

    The fields `delimiter`, `quote`, `encoding`, `header` and `strip` concern text files (CSV, TSV) only; the others
    concern all formats.

    Attributes:
        reader: File format: `csv` (text files with any delimiter), `parquet`, `tfrecord` (tf.Examples), or `movielens`
            (the official files of MovieLens-1M), or `ingested` (a folder that `tfmtl ingest` wrote). `auto`, the
            default, chooses by each file's name: Parquet if it ends in .parquet, .parq or .pq, TFRecord if it contains
            `tfrecord`, else CSV.
        delimiter: Character between two values. By default a tab for files that end in .tsv, and for files that end in
            .txt and have a tab in their first line; a comma for all others.
        quote: Character that encloses a value with delimiters or line breaks in it; empty if quotes are ordinary
            characters.
        encoding: Encoding of the text, as Python names it.
        header: Names of the columns of files whose first line is a row. By default the first line names the columns.
        strip: Whether spaces and tabs around values are removed.
        null: Values that mean a missing value, in addition to the empty one, such as `NULL`, `?` or `\N`. A value
            counts as missing if it is one of them as a whole; values inside a longer list do not.
        columns: Name of the file's column by the name of a column in the spec, where they differ. Two names of the
            spec may refer to one column of the file.

    Example:
        >>> from transforms.readers.log_format import LogFormat
        >>> LogFormat(delimiter=";", null=("NULL",), columns={"item_id": "item-id"}).reader
        'auto'
    """

    reader: str = AUTO
    delimiter: str = ""
    quote: str = '"'
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    strip: bool = False
    null: tuple[str | int | float | None, ...] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*NAMES, INGESTED)
        require(self.reader in known, "reader", f"one of {', '.join(known)}", self.reader)
        delimiter = self.delimiter
        is_character = len(delimiter) <= 1 and delimiter.isascii() and delimiter not in "\r\n"
        require(not delimiter or is_character, "delimiter", "one ASCII character, such as ';' or \"\\t\"", delimiter)
        is_quote = len(self.quote) <= 1 and self.quote.isascii() and self.quote not in "\r\n "
        require(not self.quote or is_quote, "quote", "one ASCII character, or '' for none", self.quote)
        require(not delimiter or delimiter != self.quote, "quote", "other than the delimiter", self.quote)
        require(
            _is_encoding(self.encoding), "encoding", "an encoding that Python knows, such as latin-1", self.encoding
        )
        object.__setattr__(self, "null", _texts(self.null))
        for i, name in enumerate(self.header):
            require(name not in self.header[:i], ("header", i), "a name that no earlier column has", name)

    def source(self, column: str) -> str:
        """Returns the name of the file's column for a column of the spec.

        Args:
            column: Name of the column in the spec.
        """
        return self.columns.get(column, column)

    @property
    def log_format(self) -> "LogFormat":
        """These fields alone, for an instance of a subclass."""
        return LogFormat(**{field.name: getattr(self, field.name) for field in dataclasses.fields(LogFormat)})


def _texts(null: tuple[str | int | float | None, ...]) -> tuple[str, ...]:
    """Returns values as texts; YAML reads NULL without quotes as None."""
    texts = (_UNQUOTED if value is None else (str(value),) for value in null)
    return tuple(dict.fromkeys(itertools.chain.from_iterable(texts)))


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
