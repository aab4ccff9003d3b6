"""Rollback of a served model to an earlier version."""

import dataclasses
import datetime

from pipelines.pushing.destination import fingerprint, is_complete, versions
from pipelines.pushing.push import push
from pipelines.pushing.rolled_back import RolledBack, read_rolled_back, write_rolled_back
from tfmtl.config import ConfigError


@dataclasses.dataclass(frozen=True)
class Rollback:
    """Rollback of a served model.

    Attributes:
        bad: Version that was served before.
        good: Earlier version that is served again.
        version: Number under which it is served now.
        refused: Fingerprints of the models that are not pushed again: those of the versions after `good`.
        restored: Fingerprint of the model of `good`; None if it has none.
    """

    bad: int
    good: int
    version: int
    refused: tuple[str, ...]
    restored: str | None


def roll_back(base_directory: str, to: int | None = None) -> Rollback:
    """Serves an earlier version again, and records the models of the versions after it, which are not pushed again.

    The earlier version is pushed again under a new, highest number, which every server with the policy `latest` loads
    while the version before it still answers. No version is removed.

    Args:
        base_directory: Folder with one folder per version.
        to: Number of the earlier version; None for the newest complete one of another model that was not rolled back.

    Raises:
        ConfigError: If there is no such version, or its files are incomplete.
    """
    folders = versions(base_directory)
    prints = {number: fingerprint(folder) for number, folder in folders.items()}
    recorded = read_rolled_back(base_directory)
    good = _earlier(base_directory, folders, prints, {one.fingerprint for one in recorded}) if to is None else to
    bad = max(folders, default=0)
    if good not in folders or good == bad or not is_complete(folders[good]):
        shown = ", ".join(str(number) for number in folders if number != bad) or "none"
        expected = f"--to should be a complete version before the newest one, {bad}, in {base_directory}: {shown}"
        raise ConfigError(f"{expected}. Received: {good}")
    refused = {number: one for number, one in prints.items() if number > good and one not in (None, prints[good])}
    now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
    models = {one.fingerprint: one for one in recorded}
    models |= {str(one): RolledBack(str(one), number, now) for number, one in refused.items()}
    models.pop(prints[good] or "", None)
    write_rolled_back(base_directory, list(models.values()))  # First: if this is interrupted, nothing bad is pushed.
    version = push(folders[good], base_directory)
    return Rollback(bad, good, version, tuple(dict.fromkeys(map(str, refused.values()))), prints[good])


def _earlier(base_directory: str, folders: dict[int, str], prints: dict[int, str | None], recorded: set[str]) -> int:
    newest = max(folders, default=0)
    others = [n for n in folders if n != newest and prints[n] not in recorded and prints[n] != prints[newest]]
    found = next((number for number in sorted(others, reverse=True) if is_complete(folders[number])), None)
    if found is None:
        shown = ", ".join(map(str, folders)) or "none"
        expected = f"{base_directory} should have an earlier version of another model, not rolled back"
        raise ConfigError(f"{expected}. Received: {shown}")
    return found
