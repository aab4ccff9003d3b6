"""Retention of the versions of a served model."""

import os
import pathlib
import shutil

from pipelines.pushing.destination import fingerprint, is_complete, versions
from pipelines.pushing.rolled_back import read_rolled_back
from transforms.storage.atomic import UNFINISHED


def unneeded_versions(base_directory: str, keep: int) -> dict[int, str]:
    """Returns the folders of the versions that can be removed, by number.

    Kept are the newest `keep` versions, the newest complete one, which is served, and the newest version of each of the
    last `keep` models that were not rolled back, for a rollback.

    Args:
        base_directory: Folder with one folder per version.
        keep: Number of versions and models to keep, at least 1.
    """
    folders = versions(base_directory)
    newest_first = sorted(folders, reverse=True)
    kept = set(newest_first[:keep])
    kept |= {next((number for number in newest_first if is_complete(folders[number])), 0)}
    refused = {one.fingerprint for one in read_rolled_back(base_directory)}
    models: dict[str, int] = {}
    for number in newest_first:
        model = fingerprint(folders[number]) or f"version {number}"
        if model not in refused:
            models.setdefault(model, number)
    kept |= set(list(models.values())[:keep])
    return {number: folder for number, folder in folders.items() if number not in kept}


def remove_version(folder: str) -> None:
    """Removes a version, which a server sees vanish as a whole.

    Args:
        folder: Folder of the version on a local disk.
    """
    path = pathlib.Path(folder)
    removed = path.with_name(f"{UNFINISHED}-removed-{path.name}")
    os.rename(path, removed)
    shutil.rmtree(removed)
