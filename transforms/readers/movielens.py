"""Reader of MovieLens-1M: one row per rating, with the attributes of its user and its movie.

References:
    F. M. Harper, J. A. Konstan. The MovieLens Datasets: History and Context. ACM TiiS 2015.
    https://grouplens.org/datasets/movielens/1m/
"""

import dataclasses
import posixpath
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.errors import LogError, MissingColumnError
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import INVALID_RATING, UNKNOWN_KEY
from transforms.batches.rejects import format_csv_rows
from transforms.readers.csv_parser import CsvParser
from transforms.readers.csv_reader import read_csv
from transforms.readers.line_blocks import BLOCK_BYTES, BlockReader
from transforms.storage.files import exists, open_file

USERS, MOVIES = "users.dat", "movies.dat"
RATINGS_DAT, RATINGS_CSV = "ratings.dat", "ratings.csv"
_USER_COLUMNS = ("user_id", "gender", "age", "occupation", "zip_prefix")
_MOVIE_COLUMNS = ("movie_id", "title", "title_year", "genres")
_RATING_COLUMNS = ("rating", "timestamp", "liked", "loved")
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_ZIP_DIGITS = 3
_UNIT_SEPARATOR = "\x1f"  # Replaces `::`, because the parser's delimiter is one character.
_LIKED, _LOVED = ("4", "5"), ("5",)
_SCALE = ("1", "2", "3", "4", "5")


def read_movielens(path: str, columns: Sequence[str], *, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBatch]:
    """Reads a folder with `users.dat`, `movies.dat` and either `ratings.dat` or `ratings.csv`.

    Each row is a rating. Its columns are `user_id`, `gender`, `age`, `occupation`, `zip_prefix` (the first three
    characters), `movie_id`, `title`, `title_year` (missing if the title has none), `genres` (joined by `|`), `rating`,
    `timestamp` (only with `ratings.dat`), and two nested events: `liked` (1 if rating >= 4) and `loved` (1 if it is 5).

    Args:
        path: Path of the folder.
        columns: Names of the columns that are read, in this order.
        block_bytes: Number of bytes that are read at a time.

    Yields:
        Rows in the order of the ratings. In `rejects` are lines with a wrong number of values (`wrong_column_count`),
        ratings of a user or a movie that is not in its table (`unknown_key`), and ratings other than 1, 2, 3, 4 and 5
        (`invalid_rating`).

    Raises:
        MissingColumnError: If one of `columns` is not listed above.
        FileNotFoundError: If a file is missing.
        LogError: If a line of `users.dat` or `movies.dat` has a wrong number of values or repeats an id.
    """
    ratings = ratings_path(path)
    known = {*_USER_COLUMNS, *_MOVIE_COLUMNS, *_RATING_COLUMNS} - ({"timestamp"} if ratings.endswith(".csv") else set())
    unknown = [name for name in columns if name not in known]
    if unknown:
        expected = f"columns should be some of {', '.join(sorted(known))}"
        raise MissingColumnError(f"{path}: {expected}. Received: {', '.join(unknown)}")
    users, movies = _read_users(posixpath.join(path, USERS)), _read_movies(posixpath.join(path, MOVIES))
    rating_columns = ("user_id", "movie_id", "rating", *(["timestamp"] if "timestamp" in columns else []))
    if ratings.endswith(".csv"):
        batches = read_csv(ratings, rating_columns, block_bytes=block_bytes)
    else:
        batches = _read_dat(ratings, rating_columns, block_bytes=block_bytes)
    for batch in batches:
        yield _join(batch, users, movies, columns)


def ratings_path(path: str) -> str:
    """Returns the path of the file of ratings.

    Args:
        path: Path of the folder.

    Raises:
        FileNotFoundError: If a file is missing; the message names the missing files.
    """
    found = [name for name in (RATINGS_DAT, RATINGS_CSV) if exists(posixpath.join(path, name))]
    missing = [name for name in (USERS, MOVIES) if not exists(posixpath.join(path, name))]
    if not found:
        missing.append(f"{RATINGS_DAT} or {RATINGS_CSV}")
    if missing:
        raise FileNotFoundError(f"{path}: should be a folder with MovieLens-1M's files. Missing: {', '.join(missing)}")
    return posixpath.join(path, found[0])


def _read_users(path: str) -> pa.Table:
    rows = [[*values[:4], values[4][:_ZIP_DIGITS]] for values in _read_table(path, 5)]
    return _build_table(_USER_COLUMNS, rows)


def _read_movies(path: str) -> pa.Table:
    rows = []
    for movie, title, genres in _read_table(path, 3):
        year = _YEAR.search(title)
        rows.append([movie, title, year.group(1) if year else "", genres])
    return _build_table(_MOVIE_COLUMNS, rows)


def _build_table(names: Sequence[str], rows: list[list[str]]) -> pa.Table:
    return pa.table({name: pa.array([row[i] or None for row in rows], pa.string()) for i, name in enumerate(names)})


def _read_table(path: str, width: int) -> list[list[str]]:
    """Reads a small file whose values are separated by `::`, in UTF-8 or, as the official files, in Latin-1."""
    with open_file(path) as stream:
        content = stream.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    rows: list[list[str]] = []
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        values = line.split("::")
        if len(values) != width or not values[0] or values[0] in seen:
            raise LogError(f"{path}:{number}: should be {width} values, the first a new id. Received: {line!r}")
        seen.add(values[0])
        rows.append(values)
    return rows


def _read_dat(path: str, columns: Sequence[str], *, block_bytes: int) -> Iterator[RawBatch]:
    with open_file(path) as stream:
        blocks = BlockReader(stream, block_bytes)
        parser = CsvParser(path, ("user_id", "movie_id", "rating", "timestamp"), columns, _UNIT_SEPARATOR)
        for block in blocks:
            data = block.data.replace(b"::", _UNIT_SEPARATOR.encode())
            batch, carried = parser.parse(dataclasses.replace(block, data=data))
            blocks.carry(carried)
            rejects = [
                dataclasses.replace(reject, text=reject.text.replace(_UNIT_SEPARATOR, "::")) for reject in batch.rejects
            ]
            yield dataclasses.replace(batch, rejects=tuple(rejects))


def _join(batch: RawBatch, users: pa.Table, movies: pa.Table, columns: Sequence[str]) -> RawBatch:
    """Adds the attributes of users and movies to a batch of ratings, and rejects invalid ratings."""
    user = pc.index_in(batch.column("user_id"), value_set=users["user_id"].combine_chunks())
    movie = pc.index_in(batch.column("movie_id"), value_set=movies["movie_id"].combine_chunks())
    rating = batch.column("rating")
    known = pc.and_(user.is_valid(), movie.is_valid()).to_numpy(zero_copy_only=False)
    on_scale = pc.is_in(rating, value_set=pa.array(_SCALE)).to_numpy(zero_copy_only=False)
    joined = {
        **_columns_by_name(users.take(user)),
        **_columns_by_name(movies.take(movie)),
        **_columns_by_name(batch.columns),
        "liked": pc.is_in(rating, value_set=pa.array(_LIKED)).cast(pa.int8()).cast(pa.string()),
        "loved": pc.is_in(rating, value_set=pa.array(_LOVED)).cast(pa.int8()).cast(pa.string()),
    }
    rejects = [
        *batch.rejects,
        *_reject_rows(batch, ~known, UNKNOWN_KEY, f"user_id and movie_id should be in {USERS} and {MOVIES}"),
        *_reject_rows(batch, known & ~on_scale, INVALID_RATING, "rating should be 1, 2, 3, 4 or 5"),
    ]
    rejects.sort(key=lambda reject: reject.line)
    all_rows = RawBatch(pa.table({name: joined[name] for name in columns}), batch.lines, batch.source)
    return dataclasses.replace(all_rows.take(np.flatnonzero(known & on_scale)), rejects=tuple(rejects))


def _columns_by_name(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _reject_rows(batch: RawBatch, mask: np.ndarray, reason: str, expected: str) -> list[Reject]:
    rows = np.flatnonzero(mask)
    texts = format_csv_rows(batch.columns, rows)
    return [
        Reject(batch.source, int(batch.lines[row]), reason, f"{expected}. Received: {text}", text)
        for row, text in zip(rows, texts, strict=True)
    ]
