"""Record of the models that were rolled back, in the base directory of the served model."""

import dataclasses
import json
from collections.abc import Sequence

from transforms.storage.atomic import atomic_file
from transforms.storage.files import exists, read_text, write_text

RECORD = ".rolled_back.json"
"""Name of the record, which no server takes for a version."""


@dataclasses.dataclass(frozen=True)
class RolledBack:
    """Model that was rolled back and is not pushed again.

    Attributes:
        fingerprint: Fingerprint of the model (`serving.export.fingerprint`).
        version: Highest version that served it.
        time: Time of the rollback, in ISO format.
    """

    fingerprint: str
    version: int
    time: str


def read_rolled_back(base_directory: str) -> list[RolledBack]:
    """Returns the models that were rolled back, in the order in which that happened.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
    """
    path = f"{base_directory.rstrip('/')}/{RECORD}"
    return [RolledBack(**one) for one in json.loads(read_text(path))] if exists(path) else []


def write_rolled_back(base_directory: str, models: Sequence[RolledBack]) -> None:
    """Replaces the record.

    Args:
        base_directory: Folder with one folder per version.
        models: All models that are not to be pushed.
    """
    text = json.dumps([dataclasses.asdict(one) for one in models], indent=1)
    with atomic_file(f"{base_directory.rstrip('/')}/{RECORD}") as temporary:
        write_text(temporary, text)


def rollback_of(base_directory: str, fingerprint: str | None) -> RolledBack | None:
    """Returns the record of a model that was rolled back; None if it was not.

    Args:
        base_directory: Folder with one folder per version.
        fingerprint: Fingerprint of the model; None if it has none.
    """
    found = [one for one in read_rolled_back(base_directory) if one.fingerprint == fingerprint]
    return found[-1] if found else None
