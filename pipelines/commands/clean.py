"""Command `tfmtl clean`: removes versions and artifacts that no later run needs."""

import pathlib

from pipelines.output.invocation import present
from pipelines.pushing.model_record import remove_unneeded_records
from pipelines.pushing.retention import remove_version, unneeded_versions
from pipelines.runners.folders import run_folder
from pipelines.runners.history.relocation import relocate
from pipelines.runners.history.retention import disk_bytes, find_unneeded, remove_unneeded
from pipelines.runners.run_lock import lock_run_folder


def clean_folder(target: str, keep: int, yes: bool) -> None:
    """Removes, or lists, the versions and artifacts that neither the last runs nor what is served need.

    Args:
        target: Settings, name of the pipeline, or run folder.
        keep: Number of runs and of versions to keep.
        yes: Removes them; otherwise they are only listed.

    Raises:
        ConfigError: If there is no such folder, or another process uses it.
    """
    folder = run_folder(target)
    with lock_run_folder(folder):
        relocate(folder)
        bases = sorted(path for path in (folder / "serving").glob("*") if path.is_dir())
        versions = [path for base in bases for path in unneeded_versions(str(base), keep).values()]
        unneeded = find_unneeded(folder, keep)
        paths = [*map(pathlib.Path, versions), *unneeded.folders]
        size = disk_bytes(paths)
        document = {
            "folder": folder,
            "removed": yes,
            "versions": [pathlib.Path(path).relative_to(folder) for path in versions],
            "artifacts": len(unneeded.artifacts),
            "unfinished": len(unneeded.unfinished),
            "bytes": size,
            "paths": [path.relative_to(folder) for path in paths],
        }
        lines = [f"  {path.relative_to(folder)}" for path in paths]
        what = (
            f"{len(versions)} versions, {len(unneeded.artifacts)} artifacts and {len(unneeded.unfinished)} unfinished "
            f"outputs of {folder}, {size / 1e6:,.1f} MB"
        )
        if not yes:
            advice = "; --yes removes them" if paths else ""
            present(document, *lines, f"not needed: {what}{advice}")
            return
        remove_unneeded(folder, unneeded)
        for version in versions:
            remove_version(version)
        for base in bases:
            remove_unneeded_records(str(base))
    present(document, *lines, f"removed: {what}")
