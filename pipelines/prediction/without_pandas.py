"""Hiding of pandas from Arrow, which imports it with its first array and then needs half a second more."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class _NoPandas:
    """Finder that finds no pandas. With `None` in `sys.modules` instead, some compiled modules have None for pandas."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is hidden", name=name)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Hides pandas inside the `with` block, unless it is imported already."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoPandas)
