"""Command `tfmtl export-check`: checks that a server can run an export, and that it scores as it did in training."""

import pathlib

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output.invocation import present
from serving.export_check import ExportCheck, SignatureCheck, check_export
from serving.graph_check import GRAPH
from tfmtl.config import ConfigError


def check_folder(folder: str) -> bool:
    """Checks an export, and prints a table of its signatures and a line for each error.

    Args:
        folder: Folder of the SavedModel, or of its versions, of which the newest is checked.

    Returns:
        True if the export has no errors.

    Raises:
        ConfigError: If there is no SavedModel.
    """
    check = check_export(_saved_model(pathlib.Path(folder)))
    shown: list[RenderableType] = [f"export {check.folder}", *([_table(check)] if check.signatures else [])]
    shown += [Text(f"ERROR: {error}", style="red") for error in check.errors]
    if not check.errors:
        shown.append(Text("no errors: a server can run this export", style="green"))
    present({"folder": check.folder, "signatures": check.signatures, "errors": check.errors}, *shown)
    return not check.errors


def _saved_model(folder: pathlib.Path) -> pathlib.Path:
    if (folder / GRAPH).is_file():
        return folder
    versions = {int(p.name): p for p in folder.iterdir() if p.name.isdecimal() and (p / GRAPH).is_file()}
    if not versions:
        expected = f"{folder} should be the folder of a SavedModel, or have one for each version, such as 1795853324"
        raise ConfigError(f"{expected}. Received: no {GRAPH} in it")
    return versions[max(versions)]


def _table(check: ExportCheck) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("signature")
    for name in ("requests", "rows", "scores compared", "largest difference"):
        table.add_column(name, justify="right")
    for one in check.signatures:
        table.add_row(one.signature, *_cells(one))
    return table


def _cells(one: SignatureCheck) -> tuple[str, ...]:
    difference = "failed" if one.error else f"{one.difference:.1e}" if one.compared else "not recorded"
    return str(one.requests), f"{one.rows:,}", f"{one.compared:,}", difference
