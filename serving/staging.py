"""Exports that appear as a whole: they are written to a folder beside the final one, which is then renamed."""

import functools
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from serving.manifest import write_manifest

UNFINISHED = "unfinished"
"""First word of the names of temporary folders, which no server takes for versions."""

_P = ParamSpec("_P")
_Model = TypeVar("_Model")
_Transform = TypeVar("_Transform")
_Result = TypeVar("_Result")


def complete_export(
    write: Callable[Concatenate[_Model, _Transform, str, _P], _Result],
) -> Callable[Concatenate[_Model, _Transform, str, _P], _Result]:
    """Decorator of a function that writes an export to its third argument, a folder.

    The folder appears as a whole, with a manifest (`serving.manifest`), and replaces one of the same name. If the
    function raises an error, the folder is not changed. On an object store, which cannot rename a folder, the files are
    written in place, and the manifest last.

    Args:
        write: Function of a model, a transform, a folder and options.

    Returns:
        The function with these properties.
    """

    @functools.wraps(write)
    def write_complete(
        model: _Model, transform: _Transform, directory: str, *args: _P.args, **kwargs: _P.kwargs
    ) -> _Result:
        if "://" in directory:
            result = write(model, transform, directory.rstrip("/"), *args, **kwargs)
            write_manifest(directory)
            return result
        final = pathlib.Path(os.path.abspath(directory))
        final.parent.mkdir(parents=True, exist_ok=True)
        staged, replaced = (final.with_name(f"{UNFINISHED}-{kind}-{final.name}") for kind in ("new", "old"))
        for left_over in (staged, replaced):
            shutil.rmtree(left_over, ignore_errors=True)
        try:
            result = write(model, transform, str(staged), *args, **kwargs)
            write_manifest(str(staged))
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        if final.exists():
            final.rename(replaced)
        staged.rename(final)
        shutil.rmtree(replaced, ignore_errors=True)
        return result

    return write_complete
