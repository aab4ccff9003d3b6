"""Columns of a file that are a model's features."""

import dataclasses
import difflib
from collections.abc import Sequence

from serving.description import ModelDescription
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.columns import feature_columns
from transforms.batches.errors import LogError, MissingColumnError, format_names
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import column_names, resolve_reader

_SIMILARITY = 0.8
_FORMAT_FIELDS = ("delimiter", "quote", "encoding", "strip", "null", "columns")
_DELIMITERS = (";", "\t", "|", ",")


@dataclasses.dataclass(frozen=True)
class FileColumns:
    """Columns of a file.

    Attributes:
        names: Name in the file by the name under which `transforms.readers.registry.read` reads the column, in the
            order of the file.
        absent: Names of the model's features, and of columns of weights, that the file does not have; in TFRecord, that
            its first tf.Examples do not have.
    """

    names: dict[str, str]
    absent: tuple[str, ...]


def find_columns(path: str, spec: DatasetSpec, log_format: LogFormat, folders: Sequence[str] = ()) -> FileColumns:
    """Finds the features among the columns of a file.

    Args:
        path: Path of the file.
        spec: Spec of the dataset on which the model was trained.
        log_format: Format of the file.
        folders: Names of the columns that the file's folders name, as in `day=2026-11-18`.

    Raises:
        MissingColumnError: If the file has no feature at all, lacks a required one, or has a column whose name differs
            from that of a missing feature by its case or a few letters.
        LogError: If the file is empty, or has two columns of one name.
        FileNotFoundError: If there is no such file.
    """
    file_names = column_names(path, log_format) or []
    repeated = sorted({name for name in file_names if file_names.count(name) > 1})
    if repeated:
        raise LogError(f"{path}: should name each column once. Received twice: {format_names(repeated)}")
    file_names += [name for name in folders if name not in file_names]
    features = feature_columns(spec)
    present = {log_format.source(name): name for name in features if log_format.source(name) in file_names}
    absent = tuple(name for name in features if log_format.source(name) not in file_names)
    others = [name for name in file_names if name not in present and name not in _other_columns(spec)]
    _check_absent(path, spec, absent, file_names, others)
    names = {present.get(name, name): name for name in file_names if name in present or name not in log_format.columns}
    if resolve_reader(log_format.reader, path) == "tfrecord":  # Later tf.Examples may have what the first ones lack.
        names |= {name: log_format.source(name) for name in absent}
    return FileColumns(names, absent)


def choose_format(path: str, description: ModelDescription) -> LogFormat:
    """Returns the format of a file: that of the model's log, or the default one where only that finds features in it.

    Names of columns are those of the log, or those of the spec. The names in the log's `header` are not used, since the
    first line of a file for prediction names its columns.

    Args:
        path: Path of the file.
        description: Description of the model.

    Raises:
        LogError: If the file cannot be read.
        FileNotFoundError: If there is no such file.
    """
    fields = {name: description.log_format[name] for name in _FORMAT_FIELDS if name in description.log_format}
    formats = [LogFormat(**fields), LogFormat()] if fields else [LogFormat()]
    for log_format in formats:
        try:
            names = column_names(path, log_format) or []
        except LogError:
            continue
        sources = {name: log_format.source(name) for name in feature_columns(description.spec)}
        if set(names) & {*sources, *sources.values()}:
            columns = {name: source for name, source in sources.items() if source in names and name not in names}
            return dataclasses.replace(log_format, columns=columns)
    return LogFormat()


def _other_columns(spec: DatasetSpec) -> list[str]:
    """Returns the columns of the dataset that are not features, which are not misspelled features either."""
    split = [spec.split.column] if isinstance(spec.split, TimeSplit) else []
    others = [name for name in (spec.weight, spec.group_key) if name]
    return [*spec.labels, *spec.maturity_columns, *others, *split]


def _check_absent(
    path: str, spec: DatasetSpec, absent: Sequence[str], file_names: Sequence[str], others: Sequence[str]
) -> None:
    similar = {name: match for name in absent if (match := _most_similar(name, others)) is not None}
    required = [name for name in absent if name in _required(spec, absent)]
    missing = [name for name in absent if name in required or name in similar]
    if not similar and len(absent) == len(feature_columns(spec)):
        missing = list(absent)
    if not missing:
        return
    noun = "column" if len(missing) == 1 else "columns"
    lines = [f"{path}: should have the {noun} {format_names(missing)}. Received: {format_names(file_names)}."]
    if similar:
        guesses = ", ".join(f"{name} for {match}" for name, match in similar.items())
        lines.append(f"Did you mean {guesses}? Rename in the file, or map the names in data.columns of --settings.")
    elif len(file_names) == 1 and (sign := next((sign for sign in _DELIMITERS if sign in file_names[0]), "")):
        lines.append(f"The header has the sign {sign!r}: if it is the delimiter, set data.delimiter in --settings.")
    elif required:
        lines.append(f"The model requires {format_names(required)}; its other features may be absent.")
    raise MissingColumnError("\n".join(lines))


def _required(spec: DatasetSpec, absent: Sequence[str]) -> set[str]:
    """Returns the columns that a file has to have: tokens and their weights can only be absent together."""
    required = set()
    for feature in spec.features:
        if isinstance(feature, CategoricalFeature | NumericalFeature) and feature.required:
            required.add(feature.name)
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            pair = {feature.name, feature.weights}
            required |= pair if len(pair & set(absent)) == 1 else set()
    return required


def _most_similar(name: str, candidates: Sequence[str]) -> str | None:
    by_key = {_key(candidate): candidate for candidate in candidates}
    found = difflib.get_close_matches(_key(name), list(by_key), 1, _SIMILARITY)
    return by_key[found[0]] if found else None


def _key(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
