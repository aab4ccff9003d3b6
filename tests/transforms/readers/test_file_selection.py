"""Expansion of folders and patterns to the files that are read."""

import pytest

from transforms.readers.file_selection import expand, select_files


def make(folder, *names, content="a,b\n"):
    for name in names:
        (folder / name).write_text(content)


def names_of(paths, folder):
    return [path.removeprefix(f"{folder}/") for path in paths]


def test_a_folder_expands_to_the_files_of_the_reader(tmp_path):
    make(tmp_path, "a.csv", "b.csv.gz", "c.tsv", "notes.txt", "_SUCCESS", "d.tfrecord.gz")
    found = {reader: names_of(expand(reader, str(tmp_path)), tmp_path) for reader in ("auto", "csv", "tfrecord")}
    csv = ["a.csv", "b.csv.gz", "c.tsv"]
    assert found == {"auto": [*csv, "d.tfrecord.gz"], "csv": csv, "tfrecord": ["d.tfrecord.gz"]}
    with pytest.raises(FileNotFoundError, match=r"a folder of files \(\*.parquet, \*.pq, \*.parq\) or a pattern"):
        expand("parquet", str(tmp_path))


def test_ignored_files_are_named_with_the_reason(tmp_path):
    make(tmp_path, "part-0.csv", "part-2.csv", "README.txt", "notes.txt")
    make(tmp_path, "part-1.csv", content="")
    selected = select_files("auto", f"{tmp_path}/*")
    assert names_of(selected.paths, tmp_path) == ["part-0.csv", "part-2.csv"]
    assert selected.ignored_lines() == [
        "not read, not the name of a data file: README.txt, notes.txt",
        "not read, 0 bytes: part-1.csv",
    ]


def test_text_files_are_data_where_no_other_file_is(tmp_path):
    make(tmp_path, "day-1.txt", "day-2.txt", "README.txt", "about.md")
    assert names_of(expand("auto", f"{tmp_path}/*"), tmp_path) == ["day-1.txt", "day-2.txt"]


def test_files_without_extension_are_data_where_no_other_file_is(tmp_path):
    make(tmp_path, "part-00000", "part-00001")
    assert names_of(expand("auto", f"{tmp_path}/*"), tmp_path) == ["part-00000", "part-00001"]


def test_a_single_file_is_read_whatever_its_name(tmp_path):
    make(tmp_path, "README.txt", "log [1].csv")
    assert expand("auto", str(tmp_path / "README.txt")) == [str(tmp_path / "README.txt")]
    assert expand("auto", str(tmp_path / "log [1].csv")) == [str(tmp_path / "log [1].csv")]


def test_the_error_of_a_folder_without_data_names_the_files(tmp_path):
    make(tmp_path, "README.md")
    make(tmp_path, "log.csv", content="")
    with pytest.raises(FileNotFoundError, match=r"\(not read, 0 bytes: log.csv\)"):
        expand("auto", f"{tmp_path}/*")


def test_expand_rejects_an_unknown_reader():
    with pytest.raises(ValueError, match=r"reader should be one of auto, csv, .* Received: 'json'"):
        expand("json", "logs")
