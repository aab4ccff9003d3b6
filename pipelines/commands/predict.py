"""Command `tfmtl predict`: scores the rows of a file on a running server, without TensorFlow."""

import dataclasses
import os
import sys

from pipelines.output.invocation import present
from pipelines.prediction.columns import choose_format
from pipelines.prediction.model_spec import signature_spec
from pipelines.prediction.output import name_scores, scores_table, write_csv
from pipelines.prediction.rows import read_rows
from pipelines.terminal import console
from serving.client import ModelDescription, TfmtlClient
from tfmtl.config import ConfigError
from tfmtl.features import LISTS
from tfmtl.spec import DatasetSpec
from transforms.batches.errors import LogError
from transforms.readers.log_format import AUTO, FOLDER_READERS, INGESTED, LogFormat


def predict_rows(
    rows: str, model: str, host: str, out: str | None, limit: int | None, deadline: float, settings: str | None = None
) -> None:
    """Scores the rows of a file and writes or prints them with their scores.

    The rows are read and validated as `tfmtl run` reads those of a log, with the description that the model was
    exported with: its spec, and the format of its log. Columns that are not features of the model are not sent. Nothing
    is scored if a row is invalid.

    Args:
        rows: Path of the file: CSV with a header, Parquet, or TFRecord of tf.Examples.
        model: Name of the served model.
        host: Address of the server.
        out: CSV to write the rows and scores to; None prints a table.
        limit: Number of rows to score, from the first on; None for all.
        deadline: Time limit of each call to the server, in seconds.
        settings: Path of the settings with which the model was trained. The file has the format that their `data`
            gives, and their spec is that of a model which was exported without one. None for the format that the
            model's description gives.

    Raises:
        ConfigError: If the rows or the settings are not valid; the message names file, line and column.
        PredictionError: If the server fails.
    """
    if out and os.path.exists(out) and os.path.samefile(rows, out):
        raise ConfigError(f"--out should be another file than ROWS. Received: {out}")
    given_spec, log_format = load_spec_and_format(settings) if settings else (None, None)
    with TfmtlClient(host, model, deadline=deadline) as client:
        description = client.description() or ModelDescription(given_spec or _spec_without_separators(client, model))
        try:
            log_format = log_format or choose_format(rows, description)
            read = read_rows(rows, description.spec, log_format, limit)
        except LogError as error:
            raise ConfigError(str(error)) from error
        if read.absent:
            _warn(f"{rows} has no column {', '.join(read.absent)}: the value is missing in every row.")
        scores = client.predict(read.parsed)
    named = name_scores(scores, read.table.column_names)
    for output, name in zip(scores, named, strict=True):
        if output != name:
            _warn(f"{rows} has a column {output}: the prediction {output} is in the column {name}.")
    count = f"{read.table.num_rows:,} rows scored"
    if out:
        write_csv(out, read.table, named)
        present({"model": model, "rows": read.table.num_rows, "out": out}, f"{count} -> {out}")
        return
    table, hidden = scores_table(read.table, named, f"{count} by {model!r}", console.width)
    columns = [*read.table.column_names, *named]
    values = [*(read.table.column(name).to_pylist() for name in read.table.column_names), *named.values()]
    records = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    present({"model": model, "rows": read.table.num_rows, "scores": [*named], "scored": records}, table)
    if hidden:
        text = f"{len(hidden)} of {read.table.num_columns} columns are not shown: {', '.join(hidden)}."
        console.print(f"{text} --out FILE writes all columns.", highlight=False, markup=False)


def load_spec_and_format(path: str) -> tuple[DatasetSpec, LogFormat]:
    """Returns the spec of settings, and the format of single files that their `data` gives.

    Args:
        path: Path of the settings.

    Raises:
        ConfigError: If the settings are not valid.
    """
    from pipelines.settings_file import load_settings  # Used with --settings only.

    settings = load_settings(path)
    log_format = settings.data.log_format
    if log_format.reader in (*FOLDER_READERS, INGESTED):
        log_format = dataclasses.replace(log_format, reader=AUTO)
    return settings.spec, log_format


def _spec_without_separators(client: TfmtlClient, model: str) -> DatasetSpec:
    spec = signature_spec(client, model)
    lists = [feature for feature in spec.features if isinstance(feature, LISTS)]
    if lists:
        names = ", ".join(feature.name for feature in lists)
        _warn(
            f"model {model!r} was exported without its spec, so that lists ({names}) are split at "
            f"{lists[0].separator!r}. If the spec has another separator, give its file with --settings."
        )
    return spec


def _warn(message: str) -> None:
    print(f"Warning: {message}", file=sys.stderr)
