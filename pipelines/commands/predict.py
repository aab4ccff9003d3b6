"""`tfmtl predict`: scores the rows of a CSV on a running server."""

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table

from pipelines.terminal import console
from serving.client import TfmtlClient
from serving.rows import Feature, features_of


def predict_rows(rows: str, model: str, host: str, out: str | None, limit: int | None, deadline: float) -> None:
    """Scores a CSV's rows; columns that are no features of the model are left out."""
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
    """The columns of a CSV read as text that are features: numbers, lists of a bag, or text.

    Of a list whose width the signature fixes, a sequence, the last places are kept.
    """
    columns: dict[str, list] = {}
    for name, feature in inputs.items():
        if name not in frame:
            continue
        texts = frame[name].tolist()
        if feature.bag:
            kind, last = _number if feature.kind == "number" else str, feature.width or 0
            columns[name] = [[kind(part) for part in text.split(separator)][-last:] if text else [] for text in texts]
        elif feature.kind == "number":
            columns[name] = [_number(text) for text in texts]
        else:
            columns[name] = texts
    return columns


def _number(text: str) -> float | None:
    return float(text) if text else None


def scores_table(frame: pd.DataFrame, title: str, scores: Sequence[str]) -> Table:
    """Rows and their scores as a table."""
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(column, justify="right" if column in scores else "left")
    for row in frame.to_dict("records"):
        table.add_row(*[f"{value:.4f}" if name in scores else str(value) for name, value in row.items()])
    return table
