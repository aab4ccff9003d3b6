"""Command `tfmtl models`: lists the models with their papers and options."""

import dataclasses

from rich.table import Table

from pipelines.terminal import console
from tfmtl.models import MODELS


def list_models() -> None:
    """Prints a table of the models with their papers and options."""
    table = Table(title="Models", title_justify="left")
    for column in ("name", "class", "paper", "equations", "options (default)"):
        table.add_column(column, overflow="fold")
    for name, model in sorted(MODELS.items()):
        options = dataclasses.asdict(model.options_class())
        defaults = ", ".join(f"{key}={value}" for key, value in options.items())
        table.add_row(name, model.__name__, model.paper, model.equations, defaults)
    console.print(table)
