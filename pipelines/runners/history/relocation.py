"""Paths of a run folder in ML Metadata, which follow the folder when it is moved or copied."""

import pathlib

from pipelines.runners.metadata_store import ARTIFACTS, DATABASE, open_store

_MODEL_RUN = "model_run"
"""File beside a SavedModel with the path of the weights (`pipelines.training.warm_start.write_model_run_path`)."""
_DESTINATION = "pushed_destination"


def relocate(root: pathlib.Path) -> int:
    """Rewrites the paths of artifacts that are relative, or lead to a place where the run folder was before.

    A path that leads elsewhere is kept. As TFX's cache compares paths, the next run computes its steps again once.

    Args:
        root: Run folder, absolute.

    Returns:
        The number of artifacts whose path was rewritten.
    """
    if not (root / DATABASE).is_file():
        return 0
    store = open_store(root / DATABASE)
    changed = []
    for artifact in store.get_artifacts():
        moved = _moved(artifact.uri, root, ARTIFACTS)
        if moved is None:
            continue
        artifact.uri = str(moved)
        pushed = artifact.custom_properties.get(_DESTINATION)
        if pushed is not None:
            pushed.string_value = str(_moved(pushed.string_value, root, "serving") or pushed.string_value)
        _rewrite_model_run(moved, root)
        changed.append(artifact)
    store.put_artifacts(changed)
    return len(changed)


def _moved(path: str, root: pathlib.Path, folder: str) -> pathlib.Path | None:
    """Returns the present place of a path below a folder of the run folder; None if it is right as it is."""
    if not path or "://" in path or pathlib.PurePath(path).is_relative_to(root):
        return None
    parts = pathlib.PurePath(path).parts
    places = [i for i, part in enumerate(parts) if part == folder]
    candidates = [root.joinpath(*parts[i:]) for i in reversed(places)]
    found = next((candidate for candidate in candidates if candidate.exists()), None)
    if found is None and pathlib.PurePath(path).is_absolute() and pathlib.Path(path).exists():
        return None
    return found or next(iter(candidates), None)


def _rewrite_model_run(model: pathlib.Path, root: pathlib.Path) -> None:
    """Rewrites the path of the weights that a Trainer wrote beside a SavedModel."""
    file = model / _MODEL_RUN
    if file.is_file():
        file.write_text(str(_moved(file.read_text(), root, ARTIFACTS) or file.read_text()))
