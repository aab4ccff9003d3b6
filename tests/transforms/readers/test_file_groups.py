"""Groups of small files: neighbouring files in their order, up to a size."""

import pytest

from transforms.readers.file_groups import GROUP_BYTES, SMALL_FILE_BYTES, group_small_files

HALF = SMALL_FILE_BYTES // 2
LARGE = 8 * GROUP_BYTES
"""Size of a file with which an eighth of the log is at least `GROUP_BYTES`."""


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([], []),
        ([5], ["a"]),
        ([5, 5, 5], ["a", "b", "c"]),
        ([5] * 16, ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op"]),
        ([LARGE, 5, 5, SMALL_FILE_BYTES, 5], ["a", "bc", "d", "e"]),
        ([LARGE, *[HALF] * 10], ["a", "bcde", "fghi", "jk"]),
        ([LARGE, *[HALF] * 3, HALF - 4, 4, 1], ["a", "bcdef", "g"]),
        ([0, 0, 0], ["abc"]),
        ([LARGE, 0], ["a", "b"]),
    ],
)
def test_groups_are_neighbouring_small_files(sizes, groups):
    assert GROUP_BYTES == 4 * HALF
    paths = "abcdefghijklmnop"[: len(sizes)]
    assert group_small_files(list(paths), sizes) == [tuple(group) for group in groups]
