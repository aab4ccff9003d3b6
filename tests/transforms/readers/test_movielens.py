"""Reader of MovieLens-1M: files written by hand, and the official files if `TFMTL_DATA` names their folder."""

import os
import pathlib

import pytest

from transforms.batches.errors import MissingColumnError
from transforms.readers.movielens import read_movielens

DATA = pathlib.Path(os.environ.get("TFMTL_DATA", "")) / "movielens"
COLUMNS = ("user_id", "movie_id", "gender", "age", "occupation", "zip_prefix", "title_year", "genres", "liked", "loved")
USERS = "1::F::1::10::48067\n2::M::56::16::70072-1234\n"
MOVIES = "1::Toy Story (1995)::Animation|Comedy\n73::Mis\xe9rables, Les (1995)::Drama\n5::Untitled::\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "users.dat").write_text(USERS)
    (tmp_path / "movies.dat").write_bytes(MOVIES.encode("latin-1"))
    return tmp_path


def read(folder, columns=COLUMNS, **options):
    batches = list(read_movielens(str(folder), columns, **options))
    rows = [row for batch in batches for row in batch.columns.to_pylist()]
    lines = [line for batch in batches for line in batch.lines.tolist()]
    rejects = [(reject.line, reject.reason, reject.text) for batch in batches for reject in batch.rejects]
    return rows, lines, rejects


@pytest.mark.parametrize("block_bytes", [1, 20, 1 << 20])
def test_ratings_dat(folder, block_bytes):
    lines = ["1::73::5::978300760", "2::1::4::978302109", "2::5::3::978301968", "2::1", "9::1::3::1", "1::8::3::1"]
    lines += ["1::1::6::1", "", "1::1::::1", "1::1::2::978300001"]
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
    rows, numbers, rejects = read(folder, (*COLUMNS, "title", "rating", "timestamp"), block_bytes=block_bytes)
    names = (*COLUMNS, "title", "rating", "timestamp")
    first_user, second_user = ("F", "1", "10", "480"), ("M", "56", "16", "700")
    expected = [
        ("1", "73", *first_user, "1995", "Drama", "1", "1", "Mis\xe9rables, Les (1995)", "5", "978300760"),
        ("2", "1", *second_user, "1995", "Animation|Comedy", "1", "0", "Toy Story (1995)", "4", "978302109"),
        ("2", "5", *second_user, None, None, "0", "0", "Untitled", "3", "978301968"),
        ("1", "1", *first_user, "1995", "Animation|Comedy", "0", "0", "Toy Story (1995)", "2", "978300001"),
    ]
    assert rows == [dict(zip(names, row, strict=True)) for row in expected]
    assert numbers == [1, 2, 3, 10]
    assert rejects == [
        (4, "wrong_column_count", "2::1"),
        (5, "unknown_key", "9,1,3,1"),
        (6, "unknown_key", "1,8,3,1"),
        (7, "invalid_rating", "1,1,6,1"),
        (9, "invalid_rating", "1,1,,1"),
    ]


def test_ratings_csv(folder):
    (folder / "ratings.csv").write_text("user_id,movie_id,rating\n1,1,5\n1,1,0\n2,73,3\n")
    rows, lines, rejects = read(folder, ("loved", "user_id"))
    assert rows == [{"loved": "1", "user_id": "1"}, {"loved": "0", "user_id": "2"}]
    assert lines == [2, 4]
    assert rejects == [(3, "invalid_rating", "1,1,0")]


def test_titles_in_utf8(folder):
    (folder / "movies.dat").write_text(MOVIES, encoding="utf-8")
    (folder / "ratings.csv").write_text("user_id,movie_id,rating\n1,73,5\n")
    assert read(folder, ("title",))[0] == [{"title": "Mis\xe9rables, Les (1995)"}]


def test_error_names_missing_files(tmp_path):
    (tmp_path / "users.dat").write_text(USERS)
    with pytest.raises(FileNotFoundError, match=r"Missing: movies.dat, ratings.dat or ratings.csv"):
        read(tmp_path)


def test_rejects_unknown_columns(folder):
    (folder / "ratings.csv").write_text("user_id,movie_id,rating\n")
    with pytest.raises(MissingColumnError, match="Received: timestamp, weather"):
        read(folder, ("user_id", "timestamp", "weather"))


@pytest.mark.parametrize("line", ["3::M::56::16", "1::M::56::16::70072", "::M::56::16::70072"])
def test_rejects_an_invalid_line_of_a_table(folder, line):
    (folder / "users.dat").write_text(f"{USERS}{line}\n")
    (folder / "ratings.csv").write_text("user_id,movie_id,rating\n")
    with pytest.raises(ValueError, match=r"users.dat:3: should be 5 values, the first a new id"):
        read(folder)


@pytest.mark.skipif(
    not DATA.is_dir(), reason="needs MovieLens-1M (grouplens.org/datasets/movielens/1m) in $TFMTL_DATA/movielens"
)
def test_official_files():
    rows, lines, rejects = read(DATA)
    assert len(rows) == 287_911
    assert lines == list(range(2, 287_913))
    assert rejects == []
    assert sum(row["liked"] == "1" for row in rows) / len(rows) == pytest.approx(0.56, abs=0.005)
    assert sum(row["loved"] == "1" for row in rows) / len(rows) == pytest.approx(0.21, abs=0.005)
