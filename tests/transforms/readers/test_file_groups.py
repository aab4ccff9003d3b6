"""Groups of small files: neighbouring files in their order, up to a size."""

import pytest

from transforms.readers.file_groups import GROUP_BYTES, SMALL_FILE_BYTES, group_small_files

HALF = SMALL_FILE_BYTES // 2


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([], []),
        ([5], ["a"]),
        ([5, 5, 5], ["abc"]),
        ([SMALL_FILE_BYTES, 5, 5, SMALL_FILE_BYTES, 5], ["a", "bc", "d", "e"]),
        ([HALF] * 10, ["abcd", "efgh", "ij"]),
        ([HALF] * 3 + [HALF - 4, 4, 1], ["abcde", "f"]),
        ([0, 0, 0], ["abc"]),
        ([SMALL_FILE_BYTES, 0], ["a", "b"]),
    ],
)
def test_groups_are_neighbouring_small_files(sizes, groups):
    assert GROUP_BYTES == 4 * HALF
    paths = "abcdefghij"[: len(sizes)]
    assert group_small_files(list(paths), sizes) == [tuple(group) for group in groups]
