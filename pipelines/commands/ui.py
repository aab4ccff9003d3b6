"""Command `tfmtl ui`: writes a page that lists runs and links to their reports."""

import pathlib

from pipelines.commands.report import print_path
from pipelines.report.index_page import run_index
from pipelines.runners.metadata_store import DATABASE
from tfmtl.config import ConfigError
from transforms.storage.atomic import atomic_file

INDEX = "index.html"


def write_index(folder: str) -> None:
    """Writes `index.html` into a folder, and prints its path.

    Args:
        folder: Folder that holds run folders, or a run folder.

    Raises:
        ConfigError: If there is no run folder.
    """
    base = pathlib.Path(folder)
    folders = [base] if (base / DATABASE).is_file() else sorted(path.parent for path in base.glob(f"*/{DATABASE}"))
    if not folders:
        expected = f"FOLDER should hold run folders, which `tfmtl run` writes as FOLDER/NAME with {DATABASE}"
        raise ConfigError(f"{expected}. Received: {folder}, which has none")
    path = base / INDEX
    with atomic_file(path) as staged:
        pathlib.Path(staged).write_text(run_index(base, folders), encoding="utf-8")
    print_path(path)
