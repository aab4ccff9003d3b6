"""Reads the files of MovieLens-1M: one row a rating, with the attributes of its user and its movie.

Source: https://grouplens.org/datasets/movielens/1m/
(F. M. Harper, J. A. Konstan. The MovieLens Datasets: History and Context. ACM TiiS 2015).
"""

import dataclasses
import posixpath
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import INVALID_RATING, UNKNOWN_KEY
from transforms.batches.rejects import format_csv_rows
from transforms.readers.csv_parser import CsvParser
from transforms.readers.csv_reader import MissingColumnError, read_csv
from transforms.readers.line_blocks import BLOCK_BYTES, BlockReader
from transforms.storage.files import exists, open_file

USERS, MOVIES = "users.dat", "movies.dat"
RATINGS_DAT, RATINGS_CSV = "ratings.dat", "ratings.csv"
_USER_COLUMNS = ("user_id", "gender", "age", "occupation", "zip_prefix")
_MOVIE_COLUMNS = ("movie_id", "title", "title_year", "genres")
_RATING_COLUMNS = ("rating", "timestamp", "liked", "loved")
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_ZIP_DIGITS = 3
_UNIT = "\x1f"  # Stands for `::` while lines are cut: a cutter's delimiter is one character.
_LIKED, _LOVED = pa.array(["4", "5"]), pa.array(["5"])
_SCALE = pa.array(["1", "2", "3", "4", "5"])


def read_movielens(path: str, columns: Sequence[str], *, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBatch]:
    """Reads a folder with `users.dat`, `movies.dat` and either `ratings.dat` or `ratings.csv`.

    A row is a rating. Its columns are `user_id`, `gender`, `age`, `occupation`, `zip_prefix` (the first three
    characters), `movie_id`, `title`, `title_year` (missing if the title has none), `genres` (joined by `|`), `rating`,
    `timestamp` (only with `ratings.dat`), and two nested events: `liked` (1 if rating >= 4) and `loved` (1 if it is 5).

    Args:
        path: of the folder.
        columns: those that are kept, in this order.
        block_bytes: how much is read at a time.

    Yields:
        The rows in the order of the ratings. In `rejects` are lines without the right number of cells (`wrong_column_count`),
        ratings of a user or a movie that the tables do not hold (`unknown_key`), and those that are none of 1, 2, 3, 4
        and 5 (`invalid_rating`).

    Raises:
        MissingColumnError: if one of `columns` is none of the above.
        FileNotFoundError: if a file is missing.
        ValueError: if a line of `users.dat` or `movies.dat` is cut or names an id that has been there.
    """
    ratings = ratings_path(path)
    known = {*_USER_COLUMNS, *_MOVIE_COLUMNS, *_RATING_COLUMNS} - ({"timestamp"} if ratings.endswith(".csv") else set())
    unknown = [name for name in columns if name not in known]
    if unknown:
        expected = f"columns should be some of {', '.join(sorted(known))}"
        raise MissingColumnError(f"{path}: {expected}. Received: {', '.join(unknown)}")
    users, movies = _users(posixpath.join(path, USERS)), _movies(posixpath.join(path, MOVIES))
    needed = ("user_id", "movie_id", "rating", *(["timestamp"] if "timestamp" in columns else []))
    read = read_csv if ratings.endswith(".csv") else _read_dat
    for batch in read(ratings, needed, block_bytes=block_bytes):
        yield _join(batch, users, movies, columns)


def ratings_path(path: str) -> str:
    """The file of the ratings in the folder `path`. Raises `FileNotFoundError` naming the files that are missing."""
    found = [name for name in (RATINGS_DAT, RATINGS_CSV) if exists(posixpath.join(path, name))]
    missing = [name for name in (USERS, MOVIES) if not exists(posixpath.join(path, name))]
    if not found:
        missing.append(f"{RATINGS_DAT} or {RATINGS_CSV}")
    if missing:
        raise FileNotFoundError(f"{path}: should be a folder with MovieLens-1M's files. Missing: {', '.join(missing)}")
    return posixpath.join(path, found[0])


def _users(path: str) -> pa.Table:
    rows = _read_table(path, 5)
    columns = [[row[0], row[1], row[2], row[3], row[4][:_ZIP_DIGITS]] for row in rows]
    return _table(_USER_COLUMNS, columns)


def _movies(path: str) -> pa.Table:
    years = [(row, _YEAR.search(row[1])) for row in _read_table(path, 3)]
    return _table(_MOVIE_COLUMNS, [[row[0], row[1], year.group(1) if year else "", row[2]] for row, year in years])


def _table(names: Sequence[str], rows: list[list[str]]) -> pa.Table:
    return pa.table({name: pa.array([row[i] or None for row in rows], pa.string()) for i, name in enumerate(names)})


def _read_table(path: str, width: int) -> list[list[str]]:
    """The cells of a small file, split at `::`. The official files are Latin-1; copies in UTF-8 are about."""
    with open_file(path) as stream:
        content = stream.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    rows: list[list[str]] = []
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("::")
        if len(cells) != width or not cells[0] or cells[0] in seen:
            raise ValueError(f"{path}:{number}: should be {width} cells, the first a new id. Received: {line!r}")
        seen.add(cells[0])
        rows.append(cells)
    return rows


def _read_dat(path: str, columns: Sequence[str], *, block_bytes: int) -> Iterator[RawBatch]:
    with open_file(path) as stream:
        blocks = BlockReader(stream, block_bytes)
        cutter = CsvParser(path, ("user_id", "movie_id", "rating", "timestamp"), columns, _UNIT)
        for block in blocks:
            batch, carried = cutter.cut(dataclasses.replace(block, data=block.data.replace(b"::", _UNIT.encode())))
            blocks.carry(carried)
            rejects = [dataclasses.replace(reject, text=reject.text.replace(_UNIT, "::")) for reject in batch.rejects]
            yield dataclasses.replace(batch, rejects=tuple(rejects))


def _join(batch: RawBatch, users: pa.Table, movies: pa.Table, columns: Sequence[str]) -> RawBatch:
    user = pc.index_in(batch.column("user_id"), value_set=users["user_id"].combine_chunks())
    movie = pc.index_in(batch.column("movie_id"), value_set=movies["movie_id"].combine_chunks())
    rating = batch.column("rating")
    known = pc.and_(user.is_valid(), movie.is_valid()).to_numpy(zero_copy_only=False)
    possible = pc.is_in(rating, value_set=_SCALE).to_numpy(zero_copy_only=False)
    joined = {
        **_dictionary(users.take(user)),
        **_dictionary(movies.take(movie)),
        **_dictionary(batch.columns),
        "liked": pc.is_in(rating, value_set=_LIKED).cast(pa.int8()).cast(pa.string()),
        "loved": pc.is_in(rating, value_set=_LOVED).cast(pa.int8()).cast(pa.string()),
    }
    rejects = [
        *_rejects(batch, ~known, UNKNOWN_KEY, f"user_id and movie_id should be in {USERS} and {MOVIES}"),
        *_rejects(batch, known & ~possible, INVALID_RATING, "rating should be 1, 2, 3, 4 or 5"),
    ]
    full = RawBatch(pa.table({name: joined[name] for name in columns}), batch.lines, batch.source)
    every = sorted([*batch.rejects, *rejects], key=lambda reject: reject.line)
    return dataclasses.replace(full.take(np.flatnonzero(known & possible)), rejects=tuple(every))


def _dictionary(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _rejects(batch: RawBatch, mask: np.ndarray, reason: str, expected: str) -> list[Reject]:
    rows = np.flatnonzero(mask)
    texts = format_csv_rows(batch.columns, rows)
    return [
        Reject(batch.source, int(batch.lines[row]), reason, f"{expected}. Received: {text}", text)
        for row, text in zip(rows, texts, strict=True)
    ]
