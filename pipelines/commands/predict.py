"""Command `tfmtl predict`: scores the rows of a CSV on a running server."""

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table

from pipelines.terminal import console
from serving.client import TfmtlClient
from serving.rows import Feature, features_of


def predict_rows(rows: str, model: str, host: str, out: str | None, limit: int | None, deadline: float) -> None:
    """Scores the rows of a CSV and writes or prints them with their scores.

    Columns that are not features of the model are not sent.

    Args:
        rows: Path of the CSV, with a header.
        model: Name of the served model.
        host: Address of the server.
        out: CSV to write the rows and scores to; None prints a table.
        limit: Number of rows to score, from the first on; None for all.
        deadline: Time limit of the whole call, in seconds.

    Raises:
        PredictionError: If the server fails.
    """
    frame = pd.read_csv(rows, dtype=str, keep_default_na=False, nrows=limit)
    with TfmtlClient(host, model, deadline=deadline) as client:
        inputs = features_of(client.metadata().signatures["raw"])
        scores = client.predict(typed_columns(frame, inputs))
    scored = frame.assign(**scores)
    if out:
        scored.to_csv(out, index=False)
        console.print(f"{len(scored):,} rows scored -> {out}", highlight=False)
    else:
        console.print(scores_table(scored, f"{len(scored):,} rows scored by {model!r}", list(scores)))


def typed_columns(frame: pd.DataFrame, inputs: Mapping[str, Feature], separator: str = "|") -> dict[str, list]:
    """Converts columns of strings to the types of a model's features.

    Args:
        frame: Columns of strings, as read from a CSV.
        inputs: Features of the model's signature, by name.
        separator: Separator of the values of a multivalent field.

    Returns:
        Columns of the features that are in the frame, by name: strings, numbers (None for an empty cell), or lists of
        them. A list that is longer than the width that the signature gives keeps its last values.
    """
    columns: dict[str, list] = {}
    for name, feature in inputs.items():
        if name not in frame:
            continue
        cells = frame[name].tolist()
        if feature.multivalent:
            parse, width = _number if feature.kind == "number" else str, feature.width or 0
            columns[name] = [[parse(part) for part in cell.split(separator)][-width:] if cell else [] for cell in cells]
        elif feature.kind == "number":
            columns[name] = [_number(cell) for cell in cells]
        else:
            columns[name] = cells
    return columns


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def scores_table(frame: pd.DataFrame, title: str, scores: Sequence[str]) -> Table:
    """Formats rows and their scores as a table.

    Args:
        frame: Rows with their scores.
        title: Title of the table.
        scores: Names of the columns that hold scores.
    """
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(column, justify="right" if column in scores else "left")
    for row in frame.to_dict("records"):
        table.add_row(*[f"{value:.4f}" if name in scores else str(value) for name, value in row.items()])
    return table
