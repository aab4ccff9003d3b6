"""Groups of small files that are read as one unit of work, because each unit costs as much as thousands of rows."""

from collections.abc import Sequence

SMALL_FILE_BYTES = 4 << 20
"""Size from which a file is a unit of work of its own."""
GROUP_BYTES = 8 << 20
"""Largest size of a group."""
GROUPS = 8
"""Number of groups into which small files are divided at least, for as many workers."""


def group_small_files(paths: Sequence[str], sizes: Sequence[int]) -> list[tuple[str, ...]]:
    """Groups neighbouring files that are smaller than `SMALL_FILE_BYTES`.

    A group of several files has at most `GROUP_BYTES`, and at most an eighth of the log. Groups depend on the files
    only, so that every machine reads the same ones.

    Args:
        paths: Paths of files.
        sizes: Size of each file in bytes.

    Returns:
        Groups of paths, which together are `paths` in their order.
    """
    limit = min(GROUP_BYTES, sum(sizes) // GROUPS)
    groups: list[tuple[str, ...]] = []
    free = -1
    for path, size in zip(paths, sizes, strict=True):
        if size < SMALL_FILE_BYTES and size <= free:
            groups[-1] = (*groups[-1], path)
            free -= size
        else:
            groups.append((path,))
            free = limit - size if size < SMALL_FILE_BYTES else -1
    return groups
