"""Checks of the log's files and of the folder that is written, without TFX."""

import dataclasses
import errno
import gzip
import pathlib
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import log_check
from pipelines.log_check import check_log, check_out
from pipelines.settings_file import load_settings
from tests.pipelines.shop_log import write_shop
from tfmtl.config import ConfigError
from transforms.batches.errors import LogError, MissingColumnError

HEADER = "user,tags,price,clicked\n"


@pytest.fixture
def shop(tmp_path):
    """Settings of a log in three files, and its folder."""
    path, log = write_shop(tmp_path)
    return load_settings(path, data=log), pathlib.Path(log)


def test_accepts_a_log_and_names_the_files_that_are_not_read(shop):
    settings, log = shop
    assert check_log(settings) == []
    (log / "part-3.csv").touch()
    (log / "part-4.csv").write_text(HEADER)
    assert check_log(settings) == ["not read, 0 bytes: part-3.csv"]


def test_a_later_file_without_a_column_is_named(shop):
    settings, log = shop
    (log / "part-2.csv").write_text("user,tag,price,clicked\nu1,a,1,0\n")
    with pytest.raises(MissingColumnError, match=r"part-2.csv: should have the column tags.*tag for tags"):
        check_log(settings)


def test_a_column_of_a_folder_is_not_missing_in_the_file(shop):
    _, log = shop
    for name in ("a", "b"):
        (log / f"user={name}").mkdir()
        (log / f"user={name}" / "x.csv").write_text("tags,price,clicked\na,1,0\n")
    data = {"pattern": "*/*.csv"}
    path = log.parent / "shop.yaml"
    path.write_text(path.read_text().replace('data: {pattern: "*.csv"}', f"data: {data}"))
    assert check_log(load_settings(path, data=str(log))) == []


def test_a_renamed_column_is_not_missing(shop):
    _, log = shop
    path = log.parent / "shop.yaml"
    path.write_text(path.read_text().replace("data: {", "data: {columns: {user: member}, "))
    for part in log.iterdir():
        part.write_text(part.read_text().replace("user", "member", 1))
    assert check_log(load_settings(path, data=str(log))) == []


def test_types_of_the_first_rows_are_checked(shop):
    _, log = shop
    for part in log.iterdir():
        part.unlink()
    columns = {"user": ["u"], "tags": [["a"]], "price": [{"eur": 1}], "clicked": [1]}
    pq.write_table(pa.table(columns), log / "day.csv.parquet")
    path = log.parent / "shop.yaml"
    path.write_text(path.read_text().replace("*.csv", "*.parquet"))
    with pytest.raises(LogError, match=r"day.csv.parquet.*price should be numbers"):
        check_log(load_settings(path, data=str(log)))


def test_the_folder_that_is_written_should_not_look_like_a_pattern(tmp_path):
    with pytest.raises(ConfigError, match=r"--out should be a path without .* Received: .*run\[1\]"):
        check_out(tmp_path / "run[1]")
    check_out(tmp_path / "a" / "run")
    assert list((tmp_path / "a" / "run").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(OSError, match="Read-only file system"):
        check_out(tmp_path)


def test_the_checks_import_neither_tensorflow_nor_tfx():
    code = "import sys, pipelines.log_check; assert not {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_large_files_that_cannot_be_divided_are_named(shop, monkeypatch):
    settings, log = shop
    monkeypatch.setattr(log_check, "MIN_RANGE_BYTES", 20)
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, pattern="*"))
    assert check_log(settings) == []
    for name in ("part-8.csv.gz", "part-9.csv.gz"):
        (log / name).write_bytes(gzip.compress((log / "part-2.csv").read_bytes()))
    names = "part-8.csv.gz, part-9.csv.gz"
    assert check_log(settings) == [f"read by one worker each, as compressed text cannot be divided: {names}"]
