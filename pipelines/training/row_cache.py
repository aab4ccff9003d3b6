"""Storage of transformed rows between epochs."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Literal

import tensorflow as tf

from pipelines.training_settings import CacheSetting

Cache = Literal["none", "memory", "disk"]
"""Storage of the transformed rows."""
_SMALL_FILES_MB = 256


def choose_cache(cache: CacheSetting, files: Sequence[str]) -> Cache:
    """Resolves the cache setting `auto`: `memory` for at most 256 MB of compressed files, else `none`.

    Args:
        cache: Cache setting; settings other than `auto` are returned unchanged.
        files: Training files.
    """
    if cache != "auto":
        return cache
    is_small = sum(tf.io.gfile.stat(name).length for name in files) <= _SMALL_FILES_MB * 2**20
    return "memory" if is_small else "none"


@contextlib.contextmanager
def cache_folder(cache: Cache) -> Iterator[str | None]:
    """Context manager that yields an empty temporary folder for a cache on disk, and None for other caches.

    Args:
        cache: Resolved cache setting.
    """
    if cache != "disk":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tfmtl_cache_") as folder:
        yield folder
