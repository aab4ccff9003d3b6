"""Columns in the names of folders below the folder of a log."""

import pytest

from transforms.readers.hive_partitions import folder_columns


@pytest.mark.parametrize(
    ("path", "root", "columns"),
    [
        ("/log/day=3/city=K%C3%B6ln/a.csv", "/log", {"day": "3", "city": "Köln"}),
        ("/log/day=3/a.csv", "/log/", {"day": "3"}),
        ("/x=1/log/day=3/a.csv", "/x=1/log", {"day": "3"}),
        ("/log/day=__HIVE_DEFAULT_PARTITION__/city=/a.csv", "/log", {"day": None, "city": None}),
        ("/log/day=1/day=2/a.csv", "/log", {"day": "2"}),
        ("/log/a=b.csv", "/log", {}),
        ("/day=3/a.csv", "/day=3", {}),
        ("/day=3/a.csv", "/elsewhere", {}),
        ("/logs/day=3/a.csv", "/log", {}),
        ("s3://bucket/k=1/log/day=3/a.csv", "s3://bucket/k=1/log", {"day": "3"}),
    ],
)
def test_folder_columns(path, root, columns):
    assert folder_columns(path, root) == columns
