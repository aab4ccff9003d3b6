"""Commands of `tfmtl` that score rows, or check that an export does: `predict`, `score` and `export-check`."""

from typing import Any

import click

from pipelines.output.options import json_option


@click.command(short_help="Score the rows of a file on a server.")
@click.argument("rows", type=click.Path(exists=True, dir_okay=False))
@click.option("--model", required=True, help="Name of the served model.")
@click.option("--host", default="127.0.0.1:8500", show_default=True, help="Address of the server.")
@click.option("--out", type=click.Path(dir_okay=False), help="CSV to write the scores to; default: print a table.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Score the first N rows only.")
@click.option("--deadline", default=30.0, show_default=True, help="Time limit of a call to the server, in seconds.")
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings of the model, for the format of ROWS (delimiter, names, ...); default: CSV with a header.",
)
@json_option
def predict(
    rows: str, model: str, host: str, out: str | None, limit: int | None, deadline: float, settings: str | None
) -> None:
    """Score the impressions in ROWS, a file in CSV, Parquet or TFRecord, on a running server.

    ROWS are read as `tfmtl run` reads a log: lists are split at the separators of the model's spec, and an invalid row
    is an error. Labels are not needed.

    \b
    Example:
      tfmtl predict runs/demo/data/impressions.csv --model demo --limit 5
    """
    from pipelines.prediction.without_pandas import without_pandas

    with without_pandas():
        from pipelines.commands.predict import predict_rows

        predict_rows(rows, model=model, host=host, out=out, limit=limit, deadline=deadline, settings=settings)


@click.command(short_help="Score the rows of files with an exported model, without a server.")
@click.argument("model", metavar="MODEL_DIR", type=click.Path(exists=True, file_okay=False))
@click.option("--data", required=True, type=click.Path(), help="File, folder or pattern of the rows.")
@click.option(
    "--out", required=True, type=click.Path(), help="File to write, .csv, .parquet or .tfrecord; or a folder of files."
)
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet", "tfrecord"]),
    help="Format of the files in a folder; default: that of each file of --data.",
)
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings of the model, for the format of the rows; default: that of the log on which it was trained.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Number of processes.")
@json_option
def score(**options: Any) -> None:
    """Score rows in CSV, Parquet or TFRecord with the newest version in MODEL_DIR.

    A file is written for each file of --data: its columns, and the scores behind them. Rows are read as `tfmtl run`
    reads a log; labels are not needed. Invalid rows have no scores: they are counted, and written to files of JSON
    lines beside the scores. The files have their names only when they are complete.

    \b
    Example:
      tfmtl score runs/demo/serving/demo --data runs/demo/data/impressions.csv --out scores.parquet
    """
    from pipelines.commands.score import ScoreOptions, score_files  # Imports Beam.

    score_files(ScoreOptions(**options))


@click.command("export-check", short_help="Check that a server can run an exported model.")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@json_option
def export_check(folder: str) -> None:
    """Check the SavedModel in DIR, or in the newest version folder of DIR, as a server would use it.

    Every signature runs in a graph session on the requests that were recorded with the export, and its scores are
    compared with the recorded ones. Python functions, operations compiled by XLA, unknown operations and files outside
    the SavedModel are errors. The exit code is 1 if the export should not be served.

    \b
    Example:
      tfmtl export-check runs/demo/serving/demo
    """
    from pipelines.commands.export_check import check_folder

    if not check_folder(folder):
        raise SystemExit(1)
