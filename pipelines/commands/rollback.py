"""Command `tfmtl rollback`: serves an earlier version of a model again."""

import os

from pipelines.output.invocation import present
from pipelines.pushing.destination import fingerprint
from pipelines.pushing.rollback import Rollback, roll_back
from pipelines.runners.folders import run_folder, served_name
from pipelines.runners.history.blessings import revoke_blessings
from pipelines.runners.history.relocation import relocate
from pipelines.runners.metadata_store import DATABASE
from pipelines.runners.run_lock import lock_run_folder

_SAVED_MODEL = "Format-Serving"
"""Folder of the SavedModel in a `Model` artifact."""


def rollback_model(target: str, to: int | None, out: str | None) -> Rollback:
    """Serves an earlier version again, and prints what is served, and what is not pushed again.

    Later runs are not compared with the refused models, and do not start from them.

    Args:
        target: Settings, name of the pipeline, or run folder.
        to: Number of the earlier version; None for the newest one of another model.
        out: Run folder; None for that of the target.

    Returns:
        The rollback.

    Raises:
        ConfigError: If there is no such version, or another process uses the folder.
    """
    folder = run_folder(target, out)
    base = folder / "serving" / served_name(folder, target)
    with lock_run_folder(folder):
        relocate(folder)
        done = roll_back(str(base), to)
        revoke_blessings(
            folder / DATABASE, lambda uri: fingerprint(os.path.join(uri, _SAVED_MODEL)), done.refused, done.restored
        )
    document = {"version": done.version, "restored": done.good, "rolled_back": done.bad, "destination": base}
    refused = "that model" if len(done.refused) == 1 else f"{len(done.refused)} models"
    present(
        {**document, "refused_models": len(done.refused)},
        f"version {done.good} is served again, as version {done.version} -> {base}",
        f"rolled back: version {done.bad}; later runs do not push {refused} again, start from it or compare with it",
    )
    return done
