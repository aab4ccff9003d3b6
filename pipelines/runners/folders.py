"""Run folders that commands are given: by settings, by name, or by path."""

import pathlib

from pipelines.runners.metadata_store import DATABASE
from tfmtl.config import ConfigError

_RUNS = "runs"


def run_folder(target: str | None, out: str | None = None) -> pathlib.Path:
    """Returns the run folder that a user means.

    Args:
        target: Settings file, name of a pipeline whose runs are in `runs/NAME`, or run folder; None for the only run
            folder below `runs`.
        out: Run folder, if it is not that of the target.

    Returns:
        The folder, absolute, with a store of ML Metadata.

    Raises:
        ConfigError: If there is no such folder, or several.
    """
    if out is not None:
        candidates = [pathlib.Path(out)]
    elif target is None:
        candidates = all_run_folders()
        if len(candidates) != 1:
            shown = ", ".join(map(str, candidates)) or "none"
            raise ConfigError(f"FOLDER should be given unless {_RUNS}/ has exactly one run folder. Received: {shown}")
    elif pathlib.Path(target).is_file():
        from pipelines.settings_file import load_settings

        candidates = [pathlib.Path(_RUNS, load_settings(target).name)]
    else:
        candidates = [pathlib.Path(target), pathlib.Path(_RUNS, target)]
    found = next((folder for folder in candidates if (folder / DATABASE).is_file()), None)
    if found is None:
        shown = " or ".join(str(folder / DATABASE) for folder in candidates)
        raise ConfigError(f"{shown} should exist: `tfmtl run` writes it. Received: no such file")
    return found.absolute()


def all_run_folders() -> list[pathlib.Path]:
    """Returns the run folders below `runs`, by name."""
    return sorted(path.parent for path in pathlib.Path(_RUNS).glob(f"*/{DATABASE}"))


def served_name(folder: pathlib.Path, settings: str | None = None) -> str:
    """Returns the name of the model that a run folder serves.

    Args:
        folder: Run folder.
        settings: Settings file of the pipeline, if it is given.

    Raises:
        ConfigError: If the folder serves no model, or several.
    """
    if settings is not None and pathlib.Path(settings).is_file():
        from pipelines.settings_file import load_settings

        return load_settings(settings).name
    names = sorted(path.name for path in (folder / "serving").glob("*") if path.is_dir())
    if len(names) != 1:
        expected = f"{folder / 'serving'} should have one model; with several, give the settings of one"
        raise ConfigError(f"{expected}. Received: {', '.join(names) or 'none'}")
    return names[0]
